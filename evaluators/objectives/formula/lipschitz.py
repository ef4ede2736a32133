"""Lipschitz constant: how steep the function is that a network applies."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluators.objectives.formula.base import UNBOUNDED, ScaledObjective
from primitives.analysis import analyse
from primitives.expression.expression import Expression


def lipschitz(expression: Expression) -> float:
    """sup |f'| on the whole line, at most 1e6, which also stands for no bound and for jumps; of ``layers(...)`` the
    largest of its functions'.

    Raises:
        ExpressionError: it has statistics or ``z``.
    """
    return min(max(map(steepest, expression.parts)), UNBOUNDED)


def steepest(function: Expression) -> float:
    """sup |f'| of a function of one number; infinite without a bound and for jumps.

    Raises:
        ExpressionError: it is none.
    """
    shape = analyse(function).shape
    return math.inf if shape is None or shape.lipschitz is None else shape.lipschitz


class Lipschitz(ScaledObjective):
    """:func:`lipschitz` of the function that a network applies, see :class:`ScaledObjective`; of ``layers(...)`` the
    largest of its functions'. There is none of layers with statistics and gates, whose slopes are no numbers: NaN.
    """

    name = "lipschitz"
    unit = "slope"
    direction = "minimize"
    formula = "sup |f'(x)| / sqrt(E f(z)^2), or sup |f'(x)| where the scale is none, at most 1e6"
    source = "Szegedy et al. 2014, arXiv:1312.6199, section 4.3"
    degree = 1

    @staticmethod
    def together(numbers: Sequence[float]) -> float:
        return max(numbers)

    def as_it_is(self, function: Expression) -> float:
        return steepest(function)
