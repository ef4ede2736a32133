"""A function's values and first two derivatives on the points that the analysis looks at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from primitives.analysis.gaussian import expectation, normal_grid
from primitives.analysis.sampling import sample
from primitives.equivalence.kinds import pointwise_form
from primitives.expression.derivative import derivative
from primitives.expression.expression import Expression

HALF_DECADE = 16  # points of a tail between x and sqrt(10) x


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Neighbouring points, and f, f' and f'' there."""

    x: Tensor
    values: list[Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A function at its initial parameters, as the analysis sees it.

    Args:
        expression: the function.
        left: [-50, -9] in steps of 0.05.
        normal: the 20,000 points of :func:`normal_grid` on [-10, 10].
        right: [9, 50] in steps of 0.05.
        inner: the three together, which is no rising order.
        tails: -10 to -1e8 and 10 to 1e8, evenly in log |x|; at 1e8 a rounding error of x is 1e-8.
        at_zero: f(0).
        size: root mean square of f under the standard normal, what small is compared with; 1 where there is none.
    """

    expression: Expression
    left: Piece
    normal: Piece
    right: Piece
    inner: Piece
    tails: tuple[Piece, Piece]
    at_zero: float
    size: float


@cache
def _points() -> tuple[Tensor, ...]:
    side = torch.linspace(9.0, 50.0, 821, dtype=torch.float64)
    tail = torch.logspace(1.0, 8.0, 14 * HALF_DECADE + 1, dtype=torch.float64)
    return -side.flip(0), normal_grid()[0], side, -tail, tail, torch.zeros(1, dtype=torch.float64)


def curve(expression: Expression) -> Curve:
    """Evaluate an expression and its first two derivatives on all points.

    Raises:
        ExpressionError: it is no function of one number.
    """
    expression = pointwise_form(expression, "curves")
    points = _points()
    values = values_at(expression, torch.cat(points))
    parts = [v.split([len(x) for x in points]) for v in values]
    left, normal, right, down, up, zero = (Piece(x, list(v)) for x, *v in zip(points, *parts, strict=True))
    inside = sum(len(x) for x in points[:3])
    second = expectation(normal.values[0] ** 2)
    return Curve(
        expression=expression,
        left=left,
        normal=normal,
        right=right,
        inner=Piece(torch.cat(points[:3]), [v[:inside] for v in values]),
        tails=(down, up),
        at_zero=float(zero.values[0]),
        size=math.sqrt(second) if second else 1.0,
    )


def values_at(expression: Expression, x: Tensor) -> list[Tensor]:
    """f, f' and f'' at points of any shape.

    Raises:
        ExpressionError: it is no function of one number.
    """
    expression = pointwise_form(expression, "values and slopes")
    slope = derivative(expression)
    return sample((expression, slope, derivative(slope)), x)
