"""The best broken line for a function on the whole line, equal to it in both tails."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from primitives.analysis.curve import curve
from primitives.analysis.sampling import sample
from primitives.analysis.shape import shape
from primitives.errors import ExpressionError
from primitives.expression.derivative import derivative
from primitives.expression.expression import Expression
from primitives.fewbit.steps import Steps, joined, rounded, steps_of

Array = NDArray[np.float64]

FAR = 1e8  # where a tail's straight line is read off
EDGE = 1e4  # the integral ends here; of a tail like 1/x it leaves out 1e-4
POINTS = 8_001
_POWERS = (0.4, 0.55, 0.7)  # of |f''|: the knots of the best broken lines of many pieces have the density |f''|^(2/5)
_WIDEST = 12.0  # logarithm of a gap between knots, of either sign
_TOLERANCE, _ROUNDS = 1e-8, 200  # 0.1 s at 2 bits, up to 5 s at 4
_TIE = 1e-6  # two optima whose costs differ by less are one choice, or rounding would choose
_HINT = "; expected straight lines in both tails, as of gelu(x), or the fit 'slope'"


@dataclass(frozen=True, slots=True)
class Tail:
    """The straight line to which a function tends."""

    slope: float
    start: float

    def at(self, x: Array) -> Array:
        return self.slope * x + self.start


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A function on points of the line, evenly in asinh(x).

    Args:
        x: the points.
        lengths: what they stand for.
        weights: roots of the lengths, divided by the size of the function's bend.
        f: its values.
        left: its tail there.
        right: its tail there.
    """

    x: Array
    lengths: Array
    weights: Array
    f: Array
    left: Tail
    right: Tail

    def residuals(self, packed: Array) -> Array:
        """f - g times the weights, g the broken line of some knots and heights; see :func:`_unpacked`."""
        knots, inner = _unpacked(packed)
        g = np.interp(self.x, knots, self.heights(knots, inner))
        g = np.where(self.x < knots[0], self.left.at(self.x), np.where(self.x > knots[-1], self.right.at(self.x), g))
        return self.weights * (self.f - g)

    def jacobian(self, packed: Array) -> Array:
        """Its derivatives by what is packed: a knot that moves along a piece of slope s changes g by -s."""
        knots, inner = _unpacked(packed)
        slopes = np.diff(self.heights(knots, inner)) / np.diff(knots)
        piece = np.searchsorted(knots, self.x) - 1  # -1 on the left tail
        rows = np.flatnonzero((piece >= 0) & (piece < len(slopes)))
        piece = piece[rows]
        share = (self.x[rows] - knots[piece]) / (knots[piece + 1] - knots[piece])
        by_height, by_knot = np.zeros((2, len(self.x), len(knots)))
        for place, part in ((piece, 1.0 - share), (piece + 1, share)):
            by_height[rows, place] = part
            by_knot[rows, place] = -slopes[piece] * part
        by_knot[:, 0] += self.left.slope * by_height[:, 0]  # the first and the last height move along the tails
        by_knot[:, -1] += self.right.slope * by_height[:, -1]
        by_gap = np.cumsum(by_knot[:, ::-1], axis=1)[:, ::-1] * np.append(1.0, np.diff(knots))
        return np.hstack([by_gap, by_height[:, 1:-1]]) * -self.weights[:, None]

    def heights(self, knots: Array, inner: Array) -> Array:
        """The heights at all knots: the first and the last one lie on the tails."""
        return np.concatenate([self.left.at(knots[:1]), inner, self.right.at(knots[-1:])])


def fit_value(expression: Expression, count: int) -> Steps:
    """The slopes of the broken line g of a number of pieces that minimises the integral of (f - g)^2 over the line.

    g is continuous, and beyond its first and its last border it is the straight line to which f tends (Yang et al.
    2024, arXiv:2406.16282, whose ReGELU2 and ReSiLU2 have four pieces). The integral is a sum over 8,001 points up to
    1e4, evenly in asinh(x). Borders and heights are found by least squares, the best of four starts: it may be a local
    optimum for more than four pieces. Of equal optima it is the one with the largest first border.

    Args:
        expression: the function f, without parameters.
        count: of pieces, 2, 4, 8 or 16.

    Raises:
        ExpressionError: f tends to no straight line, or to parallel ones and there are only two pieces.
    """
    exact = steps_of(expression)
    if exact is not None and len(exact.distinct) <= count and _is_exact(expression, exact):
        return exact
    from scipy.optimize import least_squares  # imported where it is used: commands that fit nothing need no scipy

    problem = _problem(expression)
    left, right = problem.left, problem.right
    if count == 2:
        if math.isclose(left.slope, right.slope, rel_tol=1e-9, abs_tol=1e-12):
            raise ExpressionError(
                f"{expression.text}: its tails have one slope, {round(left.slope, 9):g}, and no border between two "
                "pieces joins them; expected at least 2 bits, or the fit 'slope'"
            )
        return _made([left.slope, right.slope], np.array([(right.start - left.start) / (left.slope - right.slope)]))
    starts = _starts(expression, problem, count - 1)
    given = {"jac": problem.jacobian, "ftol": _TOLERANCE, "xtol": _TOLERANCE, "gtol": None, "max_nfev": _ROUNDS}
    found = [least_squares(problem.residuals, start, **given) for start in starts]
    turned = _mirrored(expression, min(found, key=lambda each: float(each.cost)).x)
    found.append(least_squares(problem.residuals, turned, **given))
    least = min(float(each.cost) for each in found) * (1.0 + _TIE)
    knots, inner = _unpacked(max((each.x for each in found if each.cost <= least), key=lambda x: float(x[0])))
    slopes = np.diff(problem.heights(knots, inner)) / np.diff(knots)
    return _made([left.slope, *slopes.tolist(), right.slope], knots)


def value_error(expression: Expression, steps: Steps) -> float:
    """The integral over the line of (f - g)^2, where g has the steps as its derivative and is f's tail on the left.

    Raises:
        ExpressionError: as :func:`fit_value`.
    """
    problem = _problem(expression)
    g = problem.left.at(problem.x)
    for border, rise in zip(steps.borders, np.diff(steps.levels), strict=True):
        g = g + rise * np.maximum(problem.x - border, 0.0)
    return float((problem.lengths * np.square(problem.f - g)).sum())


def _is_exact(expression: Expression, steps: Steps) -> bool:
    return value_error(expression, steps) < 1e-12 * max(map(abs, steps.levels)) ** 2


def _made(levels: list[float], knots: Array) -> Steps:
    return joined(rounded(levels), (np.round(knots, 10) + 0.0).tolist())


def _unpacked(packed: Array) -> tuple[Array, Array]:
    """Knots and the heights of the inner ones, from the first knot, the logarithms of the gaps, and the heights."""
    knots = (len(packed) + 2) // 2
    gaps = np.exp(np.clip(packed[1:knots], -_WIDEST, _WIDEST))
    return np.cumsum(np.concatenate([packed[:1], gaps])), packed[knots:]


def _starts(expression: Expression, problem: Problem, knots: int) -> Iterator[Array]:
    """Knots by the bend of the function, and its own heights there."""
    bend = np.abs(np.nan_to_num(_values(derivative(derivative(expression)), problem.x)))
    for power in _POWERS:
        mass = np.cumsum(problem.lengths * (bend**power + 1e-6 / (1.0 + problem.x**2)))
        at = np.interp((np.arange(knots) + 0.5) / knots, mass / mass[-1], problem.x)
        yield np.concatenate([at[:1], np.log(np.diff(at)), _values(expression, at[1:-1])])


def _mirrored(expression: Expression, packed: Array) -> Array:
    """A start at the knots' mirror images: of GELU and SiLU f(-x) is f(x) - x, and optima come in pairs."""
    at = -_unpacked(packed)[0][::-1]
    return np.concatenate([at[:1], np.log(np.diff(at)), _values(expression, at[1:-1])])


def _problem(expression: Expression) -> Problem:
    """The function on its points.

    Raises:
        ExpressionError: it jumps, is not finite somewhere, or tends to no straight line.
    """
    outline = shape(curve(expression))
    if outline is not None and outline.smoothness == "discont":
        raise ExpressionError(f"{expression.text}: it jumps, and a broken line does not{_HINT}")
    u = np.linspace(-math.asinh(EDGE), math.asinh(EDGE), POINTS)
    x = np.sinh(u)
    f = _values(expression, x)
    if not np.isfinite(f).all():
        raise ExpressionError(f"{expression.text}: not finite at {x[~np.isfinite(f)][0]:.4g}{_HINT}")
    lengths, left, right = np.cosh(u) * (u[1] - u[0]), _tail(expression, -FAR), _tail(expression, FAR)
    size = math.sqrt((lengths * np.square(f - np.where(x < 0.0, left.at(x), right.at(x)))).sum())
    problem = Problem(x, lengths, np.sqrt(lengths) / (size or 1.0), f, left, right)
    for name, tail, side in (("left", problem.left, x < -1.0), ("right", problem.right, x > 1.0)):
        decades = _decades(problem, tail, side)
        if not np.isfinite(decades).all() or decades[-1] > max(0.9 * decades[-2], 1e-9):
            raise ExpressionError(f"{expression.text}: it tends to no straight line on the {name}{_HINT}")
    return problem


def _decades(problem: Problem, tail: Tail, side: NDArray[np.bool_]) -> Array:
    """The integral of (f - tail)^2 over each decade of |x| from 1 to 1e4; where it falls, that over all is finite."""
    parts = problem.lengths * np.square(problem.f - tail.at(problem.x))
    decade = np.log10(np.abs(problem.x[side])).clip(0.0, 3.99).astype(int)
    return np.asarray(np.bincount(decade, parts[side], 4), dtype=np.float64)


def _tail(expression: Expression, x: float) -> Tail:
    f, slope = (float(_values(root, np.array([x]))[0]) for root in (expression, derivative(expression)))
    return Tail(slope, f - slope * x)


def _values(root: Expression, x: Array) -> Array:
    values: Array = sample((root,), torch.from_numpy(x))[0].numpy()
    return values
