"""Complexity: how large a formula is."""

from __future__ import annotations

from evaluators.objectives.formula.base import FormulaObjective
from primitives.equivalence.canonical import canonical
from primitives.equivalence.moments import with_moments
from primitives.expression.expression import Expression


def complexity(expression: Expression) -> float:
    """Number of nodes of the canonical form written as a tree; those of ``layers(...)`` are all of its functions'.

    A standard deviation or a root mean square is one operator, as it is written.
    """
    return float(with_moments(canonical(expression)).size)


class Complexity(FormulaObjective):
    """Number of nodes of the canonical form written as a tree: operators, inputs, constants, parameters."""

    name = "complexity"
    unit = "nodes"
    direction = "minimize"
    formula = "nodes of the canonical form written as a tree"
    source = "Cranmer 2023, arXiv:2305.01582"

    def of(self, expression: Expression) -> float:
        return complexity(expression)
