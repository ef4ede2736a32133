"""Lipschitz constant: how steep the function is that a network applies."""

from __future__ import annotations

import math

from evaluators.objectives.formula import FormulaObjective
from evaluators.objectives.objective import Trained
from primitives.analysis import analyse, critical, output_factor
from primitives.equivalence.kinds import kind_in_words, plainest
from primitives.expression.expression import Expression

UNBOUNDED = 1e6  # stands for a slope without a bound: Optuna's hypervolumes cannot use infinity


def lipschitz(expression: Expression) -> float:
    """sup |f'| on the whole line, at most 1e6, which also stands for no bound and for jumps; of ``layers(...)`` the
    largest of its functions'.

    Raises:
        ExpressionError: it has statistics or ``z``.
    """
    return max(map(_of_one, expression.parts))


def _of_one(function: Expression) -> float:
    shape = analyse(function).shape
    return UNBOUNDED if shape is None or shape.lipschitz is None else min(shape.lipschitz, UNBOUNDED)


class Lipschitz(FormulaObjective):
    """:func:`lipschitz` of the function that a network applies.

    That is f / sqrt(E f(z)^2), with which c*f has the same as f; f itself where a task's scale is ``"none"``; and
    f(s x) / sqrt(E f(s z)^2) where it is ``"critical"``. There is none of layers with statistics and gates, whose
    slopes are no numbers: NaN.
    """

    name = "lipschitz"
    unit = "slope"
    direction = "minimize"
    formula = "sup |f'(x)| / sqrt(E f(z)^2), or sup |f'(x)| where the scale is none, at most 1e6"
    source = "Szegedy et al. 2014, arXiv:1312.6199, section 4.3"

    def lacks(self, expression: Expression) -> str:
        for part in expression.parts:
            if not plainest(part).is_pointwise:
                return f"expected functions of one number, but {part.text} is {kind_in_words(part)}"
        return ""

    def of(self, expression: Expression) -> float:
        if self.lacks(expression):
            return math.nan
        return max(min(lipschitz(part) * output_factor(part), UNBOUNDED) for part in expression.parts)

    def value(self, trained: Trained) -> float:
        if trained.scale == "none" and not self.lacks(trained.expression):
            return lipschitz(trained.expression)
        return self.of(critical(trained.expression) if trained.scale == "critical" else trained.expression)
