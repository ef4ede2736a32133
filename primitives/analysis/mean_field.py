"""Signal propagation through wide random layers, for inputs of any variance.

Weights are N(0, sw^2 / fan_in), biases N(0, sb^2). A layer maps the variance q of its inputs to
V(q) = sb^2 + sw^2 E f(u)^2, u ~ N(0, q), and scales gradients by chi = sw^2 E f'(u)^2 (Poole et al. 2016,
Schoenholz et al. 2017).

The expectations are sums over cells of 1/1000 on [-10, 10] and of 1/50 up to 130, of values that are computed once
and weighted anew for each q.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import torch
from torch import Tensor

from primitives.analysis.curve import curve, values_at
from primitives.analysis.gaussian import expectation, normal_grid
from primitives.analysis.shape import shape
from primitives.equivalence.kinds import pointwise_form
from primitives.errors import ExpressionError
from primitives.expression.expression import Expression

SMALLEST, LARGEST = 1e-3, 256.0  # variances: 30 cells and an eighth of the grid in a standard deviation
BIAS = 0.2  # deviation of biases where none is given: with tanh, ELU and Mish the edge is at variances from .5 to 1.1
TOLERANCE = 1e-6  # of V' above 1: of ReLU it is 1
OUTER = 6_000  # points of the grid on each side of [-10, 10]


@dataclass(frozen=True, slots=True)
class MeanField:
    """Expectations over u ~ N(0, q); derivatives by q have a form without f', so that kinks do not matter (Stein).

    Args:
        variance: q.
        second: S(q) = E f(u)^2.
        slope: E f'(u)^2.
        curvature: E f''(u)^2, f'' between kinks.
        growth: S'(q) = E[(u^2 - q) f(u)^2] / (2 q^2).
        acceleration: S''(q) = E[(u^4 - 6 q u^2 + 3 q^2) f(u)^2] / (4 q^4).
    """

    variance: float
    second: float
    slope: float
    curvature: float
    growth: float
    acceleration: float


@dataclass(frozen=True, slots=True)
class EdgeOfChaos:
    """A point where a variance is kept and gradients keep their size: V(q) = q and chi(q) = 1.

    Args:
        bias_std: sb.
        weight_std: sw, times sqrt(fan_in).
        variance: q.
        variance_slope: V'(q); above 1 the variance runs away from q.
        variance_bend: V''(q).
        beta: correlations approach 1 as 1 - beta/depth, larger is better (Hayou et al. 2019); None where f has kinks,
            for which it is 1 - const/depth^2, or a derivative of its own.
    """

    bias_std: float
    weight_std: float
    variance: float
    variance_slope: float
    variance_bend: float
    beta: float | None


def mean_field(expression: Expression, variance: float) -> MeanField:
    """Expectations at a variance from 1e-3 to 256, at the initial parameters; NaN where there is no expectation.

    Raises:
        ExpressionError: it is no function of one number; so do the functions below.
    """
    x, cells = _grid()
    weights = cells * torch.exp(x * x / (-2.0 * variance))
    weights /= weights.sum()
    second, slope, curvature = (_squares(expression) @ weights).tolist()
    u = x * x / variance
    weights *= _squares(expression)[0]
    return MeanField(
        variance=variance,
        second=second,
        slope=slope,
        curvature=curvature,
        growth=float((weights * (u - 1.0)).sum()) / (2.0 * variance),
        acceleration=float((weights * (u * u - 6.0 * u + 3.0)).sum()) / (4.0 * variance**2),
    )


def edge_of_chaos(expression: Expression, bias_std: float) -> EdgeOfChaos | None:
    """The edge of chaos for a bias deviation, where there is one at a variance from 1e-3 to 256.

    It is the smallest q with q = sb^2 + E f(u)^2 / E f'(u)^2, and sw^2 = 1 / E f'(u)^2 (Hayou et al. 2019, who iterate
    the first equation). Without biases a positively homogeneous function such as ReLU keeps every variance; for it
    the answer is that of variance 1. A limit q -> 0, such as tanh has without biases, is no answer.
    """

    def excess(variance: float) -> float:
        at = mean_field(expression, variance)
        return bias_std**2 + at.second / at.slope - variance if at.slope > 0.0 else math.nan

    if bias_std == 0.0 and abs(excess(1.0)) < 1e-12:
        return _edge(expression, 1.0, bias_std)
    variance = _first_zero(excess, max(bias_std**2, SMALLEST))
    return None if variance is None else _edge(expression, variance, bias_std)


def information_depth(expression: Expression, bias_std: float = BIAS) -> float:
    """lim l (1 - c) on the edge of chaos, in layers: after l layers the correlation c of two inputs is 1 - depth / l.

    It is :attr:`EdgeOfChaos.beta`, 2 E f'^2 / (q E f''^2) (Hayou et al. 2019), and 0 for functions with kinks, for
    which 1 - c falls as 1 / l^2. The edge is that of a bias deviation, or that without biases where there is none, as
    for ReLU.

    Args:
        expression: a function of one number.
        bias_std: the deviation.

    Raises:
        ExpressionError: there is no edge; or it is at a variance from which variances run away, V'(q) > 1; or the depth
            is infinite, as for linear functions; or f has a derivative of its own, or is no function of one number.
    """
    function = pointwise_form(expression, "the edge of chaos")
    if function.is_paired:
        raise ExpressionError(f"{function.text}: expected a function with its own derivative, for the edge of chaos")
    edge = edge_of_chaos(function, bias_std) or edge_of_chaos(function, 0.0)
    if edge is None:
        raise ExpressionError(
            f"{function.text}: no edge of chaos at a variance from {SMALLEST:g} to {LARGEST:g}, neither with biases of "
            f"deviation {bias_std:g} nor without"
        )
    if edge.variance_slope > 1.0 + TOLERANCE:
        raise ExpressionError(
            f"{function.text}: on the edge of chaos, at the variance {edge.variance:.4g}, V' is "
            f"{edge.variance_slope:.4g}, above 1: variances run away from it"
        )
    if mean_field(function, edge.variance).curvature == 0.0 and edge.beta is None and _is_smooth(function):
        raise ExpressionError(f"{function.text}: a linear function keeps all correlations, whatever the depth")
    return edge.beta or 0.0


def half_stable(expression: Expression) -> EdgeOfChaos | None:
    """The smallest variance from 1e-3 to 256 on the edge of chaos at which V'(q) falls to 1, where there is one.

    SiLU and its like run away from all smaller variances on the edge, so that this is the one to aim at.
    """

    def excess(variance: float) -> float:
        at = mean_field(expression, variance)
        return at.growth / at.slope - 1.0 if at.slope > 0.0 else math.nan

    variance = _first_zero(excess, SMALLEST) if excess(SMALLEST) > 1e-6 else None
    if variance is None:
        return None
    at = mean_field(expression, variance)
    bias = variance - at.second / at.slope
    return _edge(expression, variance, math.sqrt(bias)) if bias >= 0.0 else None


def _edge(expression: Expression, variance: float, bias_std: float) -> EdgeOfChaos:
    at = mean_field(expression, variance)
    smooth = not expression.is_paired and _is_smooth(expression) and at.curvature > 0.0
    return EdgeOfChaos(
        bias_std=bias_std,
        weight_std=at.slope**-0.5,
        variance=variance,
        variance_slope=at.growth / at.slope,
        variance_bend=at.acceleration / at.slope,
        beta=2.0 * at.slope / (variance * at.curvature) if smooth else None,
    )


def _is_smooth(expression: Expression) -> bool:
    outline = shape(curve(expression))
    return outline is not None and outline.smoothness not in {"discont", "C0"}


def _first_zero(function: Callable[[float], float], start: float) -> float | None:
    """The smallest zero above the start, but for pairs within 25 %, of a function that is positive there."""
    low, value = start, function(start)
    while value > 0.0 and low < LARGEST:
        high = 1.25 * low
        value = function(high)
        if value <= 0.0:
            return _bisect(function, low, high)
        low = high
    return None


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if function(middle) > 0.0 else (low, middle)
    return high


@cache
def _grid() -> tuple[Tensor, Tensor]:
    """Points in rising order, and the widths of their cells."""
    inner = normal_grid()[0]
    outer = torch.linspace(10.01, 129.99, OUTER, dtype=torch.float64)
    wide = torch.full_like(outer, 0.02)
    wide[:2] += wide[:2] * torch.tensor([1.0, -1.0], dtype=torch.float64) / 24.0  # midpoint rule, corrected at its end
    return torch.cat([-outer.flip(0), inner, outer]), torch.cat([wide.flip(0), torch.full_like(inner, 0.001), wide])


@lru_cache(maxsize=8)
def _squares(expression: Expression) -> Tensor:
    """f^2, f'^2 and f''^2 on the grid, one a row; NaN where there is no expectation even at variance 1."""
    squares = torch.stack(values_at(expression, _grid()[0])) ** 2
    for row in squares:
        if expectation(row[OUTER:-OUTER]) is None:
            row.fill_(math.nan)
    return squares
