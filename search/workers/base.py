"""The contract of workers."""

from __future__ import annotations

from abc import ABC, abstractmethod

from evaluators.cohort import CohortRequest
from evaluators.results.records import CohortResult

#: A cohort's number and its result, see :func:`evaluators.run_cohort`.
Finished = tuple[int, CohortResult]


class Workers(ABC):
    """Trains cohorts, in any order; results are asked for one at a time.

    Attributes:
        draining: True once no further cohort is begun.
    """

    draining = False

    @abstractmethod
    def submit(self, number: int, request: CohortRequest) -> None:
        """Begin a cohort, or put it into the queue."""

    @abstractmethod
    def next(self) -> Finished | None:
        """Wait for any cohort to be done; None if they are draining and what was begun is done."""

    def drain(self) -> None:
        """Begin no further cohort; may be called while :meth:`next` waits, from a signal's handler too."""
        self.draining = True

    def remark(self) -> str:
        """What the user should know of them at the end of a job, or ""."""
        return ""

    @abstractmethod
    def close(self) -> None:
        """End all workers."""
