"""Scores: the objectives of a cohort's candidates, from its result."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluators.objectives.gain import Aggregate, aggregated, gains
from evaluators.objectives.objective import Objective
from evaluators.objectives.table import OBJECTIVES
from evaluators.results import CohortResult, MemberResult
from primitives.expressions import Expression


def cohort_gains(result: CohortResult, tasks: Sequence[str], how: Aggregate) -> list[float]:
    """The gain of each candidate of a cohort's result, aggregated over the tasks; NaN for those that failed."""
    members = [*result.candidates, *result.controls.values()]
    tables = [gains(row, result.relu, tasks) for row in members]
    return aggregated(tables, how)[: len(result.candidates)]


def score(
    names: Sequence[str],
    expression: Expression,
    row: MemberResult,
    *,
    gain: float,
    relu: MemberResult,
    tasks: Sequence[str],
) -> dict[str, float]:
    """The objectives of a candidate by name; NaN where a measurement has no finite number.

    Args:
        names: of the objectives.
        expression: the candidate.
        row: its row in the cohort's result; it did not fail.
        gain: its gain, aggregated over the tasks.
        relu: ReLU's row.
        tasks: names of the tasks; measured objectives are means over them.
    """
    return {name: gain if name == "gain" else _value(OBJECTIVES[name], expression, row, relu, tasks) for name in names}


def _value(
    objective: Objective, expression: Expression, row: MemberResult, relu: MemberResult, tasks: Sequence[str]
) -> float:
    if objective.of is not None:
        return objective.of(expression)
    own = [row.measured[task][objective.name] for task in tasks]
    if objective.relative:
        references = (relu.measured[task][objective.name] for task in tasks)
        own = [math.log(reference / value) for reference, value in zip(references, own, strict=True)]
    return sum(own) / len(own)
