"""Lipschitz constant: how steep the function is that a network applies."""

from __future__ import annotations

from evaluators.objectives.formula import FormulaObjective
from evaluators.objectives.objective import Trained
from primitives.analysis import analyse, output_factor
from primitives.expression.expression import Expression

UNBOUNDED = 1e6  # stands for a slope without a bound: Optuna's hypervolumes cannot use infinity


def lipschitz(expression: Expression) -> float:
    """sup |f'| on the whole line, at most 1e6, which also stands for no bound and for jumps."""
    shape = analyse(expression).shape
    return UNBOUNDED if shape is None or shape.lipschitz is None else min(shape.lipschitz, UNBOUNDED)


class Lipschitz(FormulaObjective):
    """:func:`lipschitz` of the function that a network applies.

    That is f / sqrt(E f(z)^2), with which c*f has the same as f; or f itself where a task's scale is ``"none"``.
    """

    name = "lipschitz"
    unit = "slope"
    direction = "minimize"
    formula = "sup |f'(x)| / sqrt(E f(z)^2), or sup |f'(x)| where the scale is none, at most 1e6"
    source = "Szegedy et al. 2014, arXiv:1312.6199, section 4.3"

    def of(self, expression: Expression) -> float:
        return min(lipschitz(expression) * output_factor(expression), UNBOUNDED)

    def value(self, trained: Trained) -> float:
        return self.of(trained.expression) if trained.unit_scale else lipschitz(trained.expression)
