"""Scores: the objectives of a cohort's candidates, from its result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evaluators.objectives.gain import Aggregate, aggregated, gains
from evaluators.objectives.objective import Trained
from evaluators.objectives.registry import objective
from evaluators.results.records import CohortResult


def cohort_gains(result: CohortResult, tasks: Sequence[str], how: Aggregate) -> list[float]:
    """The gain of each candidate of a cohort's result, aggregated over the tasks; NaN for those that failed."""
    members = [*result.candidates, *result.controls.values()]
    tables = [gains(row, result.reference, tasks) for row in members]
    return aggregated(tables, how)[: len(result.candidates)]


def score(names: Iterable[str], trained: Trained) -> dict[str, float]:
    """The named objectives of a candidate; NaN where a measurement has no finite number."""
    return {name: objective(name).value(trained) for name in names}
