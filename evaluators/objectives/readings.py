"""Readings of a member of a cohort: numbers that readers know, beside its gain."""

from __future__ import annotations

import math

from evaluators.objectives.gain import chosen_rate
from evaluators.results.records import MemberResult


def readings(row: MemberResult, name: str) -> dict[str, float]:
    """The mean over the seeds of each reading of a task, at the learning rate that is best in validation.

    Args:
        row: one member of a cohort's result.
        name: the task.

    Returns:
        By name of the reading; only finite ones, so none of a member that failed.
    """
    rate = chosen_rate(row, name)
    if rate is None:
        return {}
    means = {what: float(table[:, rate].mean()) for what, table in row.readings.get(name, {}).items()}
    return {what: mean for what, mean in means.items() if math.isfinite(mean)}
