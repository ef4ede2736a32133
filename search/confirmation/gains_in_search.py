"""Gains on the search's data and tasks, on seeds that the search did not have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.cohort import CohortRequest
from evaluators.objectives import gains
from evaluators.results.records import reference_of
from evaluators.training.member import Array
from primitives.expression.expression import Expression
from search.config import Config
from search.confirmation.field import train_fields
from search.workers import Workers


def gains_in_search(
    field: Sequence[Expression], config: Config, workers: Workers, *, first_seed: int, seeds: int
) -> dict[Expression, Array]:  # fmt: skip
    """Gain over the reference of each expression by seed, mean over the tasks; NaN where it failed.

    Args:
        field: expressions; each is trained once.
        config: the job; it is trained for as many steps, without rungs.
        workers: train it.
        first_seed: number of the first seed; the search counts its own from 0.
        seeds: how many.
    """
    distinct = list(dict.fromkeys(field))
    t = config.training
    requests = [
        CohortRequest(
            tuple(each.text for each in distinct), (name,), config.seed, seeds, t.steps, rates=t.learning_rates,
            width=t.width, first_seed=first_seed, nulls=0, device=t.device, autocast=t.autocast,
            operators=config.operators, conditions=config.asked(name),
        )
        for name in config.tasks
    ]  # fmt: skip
    results = train_fields(requests, workers)
    tables = [
        np.array([gains(row, reference_of(result.controls), [result.task])[0] for row in result.candidates])
        for result in results
    ]
    return dict(zip(distinct, np.mean(tables, axis=0), strict=True))
