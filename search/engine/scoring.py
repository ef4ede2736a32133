"""Scoring: the objectives of a cohort's candidates, as the config names them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evaluators.comparison import averages
from evaluators.objectives import DEFAULT, Aggregate, Constraint, Trained, cohort_gains, objective, score
from evaluators.results.records import MemberResult, reference_name
from evaluators.training.member import Array
from primitives.expression.expression import Expression
from search.records.cohort import CohortRecord


@dataclass(frozen=True, slots=True)
class Scoring:
    """The objectives of a job.

    Args:
        objectives: their names, the gain first.
        aggregate: of the gains of several tasks, see :func:`evaluators.objectives.aggregated`.
        scale: that candidates have, see :func:`evaluators.tasks.conditions.common_scale`.
        signs: those of f(-x), -f(x) and -f(-x) that every task takes for f.
        constraints: what a candidate must meet, or it has no place on the front.
    """

    objectives: tuple[str, ...] = DEFAULT
    aggregate: Aggregate = "mean"
    scale: str = "unit"
    signs: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()

    @property
    def exact(self) -> bool:
        """Candidates are applied as they are on a task at least, so that a factor makes another function."""
        return self.scale == "none"

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        """The direction of each objective, in order."""
        return [objective(name).direction for name in self.objectives]

    def gains(self, record: CohortRecord, tables: Sequence[Mapping[str, Array]] = ()) -> list[float]:
        """The gain of each candidate of a cohort file; NaN for those that failed.

        Args:
            record: the cohort.
            tables: what :class:`evaluators.objectives.Against` says of each candidate, if it is known.

        Raises:
            ReferenceLossError: the reference has no finite loss on a task.
        """
        if not tables or self.aggregate != "mean":
            return cohort_gains(record.result, record.tasks, self.aggregate)
        own = reference_name(record.result.controls)
        return [float(table[own].mean()) if table else math.nan for table in tables]

    def values(
        self, expression: Expression, row: MemberResult, gain: float, record: CohortRecord
    ) -> dict[str, float]:  # fmt: skip
        """The objectives of one candidate by name; NaN where a measurement has no finite number."""
        return score(self.objectives, self._trained(expression, row, gain, record))

    def broken(self, expression: Expression, row: MemberResult, gain: float, record: CohortRecord) -> str:
        """The objective of the first constraint that a candidate does not meet, or ""."""
        trained = self._trained(expression, row, gain, record)
        return next((each.objective for each in self.constraints if not each.is_met(trained)), "")

    def _trained(self, expression: Expression, row: MemberResult, gain: float, record: CohortRecord) -> Trained:
        return Trained(expression, row, gain, record.result.reference, record.tasks, self.scale)


DEFAULT_SCORING = Scoring()


def gains_of(
    record: CohortRecord, tables: Mapping[str, Array]
) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """Gains of one candidate: over each control, and over the reference by task and seed; empty where it has none.

    A control that has no finite loss is left out. Over the controls empty, too, where the tasks have no common unit.

    Args:
        record: its cohort.
        tables: gains over each control, tasks x seeds; none where it failed.
    """
    if not tables:
        return {}, {}
    over = {name: mean for name, table in tables.items() if math.isfinite(mean := float(table.mean()))}
    own = reference_name(tables)
    if own not in over:
        return {}, {}
    if not averages([record.result.reference.comparison(task) for task in record.tasks]):
        over = {}  # no mean of different units; without one nothing calibrates thresholds, either
    return over, dict(zip(record.tasks, map(tuple, tables[own].tolist()), strict=True))
