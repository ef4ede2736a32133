"""Constraints: an objective with a bound, which a candidate meets or not."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from evaluators.errors import EvaluationError
from evaluators.objectives.objective import Trained
from evaluators.objectives.registry import objective
from primitives.quoting import quoted

_TEXT = re.compile(r"\s*(?P<name>[^\s<>=]+)\s*(?P<sign><=|>=)\s*(?P<bound>[^\s<>=]+)\s*")


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a candidate must meet.

    Args:
        objective: its name.
        at_most: the bound is an upper one.
        bound: finite, in the objective's unit; a value that is equal to it meets it.
    """

    objective: str
    at_most: bool
    bound: float

    def is_met(self, trained: Trained) -> bool:
        """False also where the objective has no number."""
        value = objective(self.objective).value(trained)
        return value <= self.bound if self.at_most else value >= self.bound


def constraint(text: str) -> Constraint:
    """The constraint that a text says, such as ``"churn <= 0.05"`` or ``"int8 >= -0.1"``.

    Raises:
        EvaluationError: it has another form, the objective is unknown, or the bound is no finite number.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise EvaluationError(
            f"expected an objective, <= or >=, and a number, as in 'churn <= 0.05'; got {quoted(text)}"
        )
    try:
        bound = float(found["bound"])
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise EvaluationError(f"{quoted(text)}: expected a finite number as the bound, got {quoted(found['bound'])}")
    return Constraint(objective(found["name"]).name, found["sign"] == "<=", bound)
