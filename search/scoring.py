"""Scoring: what a cohort's rows are worth, by the objectives that the job names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evaluators.objectives import DEFAULT, OBJECTIVES, Aggregate, cohort_gains, gains, score
from primitives.expressions import Expression


@dataclass(frozen=True, slots=True)
class Scoring:
    """The objectives of a job.

    Args:
        objectives: their names, the gain first.
        aggregate: of the gains of several tasks, see :func:`evaluators.objectives.aggregated`.
    """

    objectives: tuple[str, ...] = DEFAULT
    aggregate: Aggregate = "mean"

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        return [OBJECTIVES[name].direction for name in self.objectives]

    def gains(self, record: Mapping[str, Any]) -> list[float]:
        """The gain of each candidate of a cohort file."""
        return cohort_gains(record["result"], record["tasks"], self.aggregate)

    def values(
        self, expression: Expression, row: Mapping[str, Any], gain: float, record: Mapping[str, Any]
    ) -> dict[str, float]:
        """The objectives of one candidate by name; NaN where a measurement has no finite number."""
        relu, tasks = record["result"]["controls"]["relu"], record["tasks"]
        return score(self.objectives, expression, row, gain=gain, relu=relu, tasks=tasks)


def gain_attributes(controls: Mapping[str, Any], row: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, Any]:
    """Gains as attributes: over each control, and over ReLU by task and seed; empty where there is no number."""
    if row["reason"]:
        return {"gain_over": {}, "gains": {}}
    tables = {name: gains(row, control, tasks) for name, control in controls.items()}
    over = {name: float(table.mean()) for name, table in tables.items()}
    if not all(math.isfinite(value) for value in over.values()):
        return {"gain_over": {}, "gains": {}}
    return {"gain_over": over, "gains": dict(zip(tasks, tables["relu"].tolist(), strict=True))}
