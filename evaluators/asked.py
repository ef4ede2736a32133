"""What workers are asked for, a cohort or a mixture, and what they answer."""

from __future__ import annotations

from typing import overload

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.mixture.request import MixtureRequest, MixtureResult
from evaluators.mixture.run import run_mixture
from evaluators.results.records import CohortResult
from evaluators.training.progress import Watch

Request = CohortRequest | MixtureRequest
Answer = CohortResult | MixtureResult


@overload
def answer(request: CohortRequest, watch: Watch | None = None) -> CohortResult: ...
@overload
def answer(request: MixtureRequest, watch: Watch | None = None) -> MixtureResult: ...
def answer(request: Request, watch: Watch | None = None) -> Answer:
    """Train what is asked for; see :func:`evaluators.run_cohort` and :func:`evaluators.mixture.run.run_mixture`."""
    if isinstance(request, MixtureRequest):
        return run_mixture(request, watch=watch)
    return run_cohort(request, watch=watch)
