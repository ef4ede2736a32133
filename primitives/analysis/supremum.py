"""Suprema over the whole line, from points of [-50, 50] and of the tails."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from primitives.analysis.curve import Curve
from primitives.analysis.sampling import sample
from primitives.expression.derivative import derivative

_POINTS = 32  # of one division of a cell


def supremum(curve: Curve, order: int, measure: Callable[[Tensor], Tensor]) -> float | None:
    """Supremum of a measure, such as ``torch.abs``, of f (order 0) or f' (order 1); None where it is infinite.

    It is the largest value on [-50, 50], refined, or in the tails, unless these grow.
    """

    def measured(values: Tensor) -> Tensor:
        return measure(values).nan_to_num(-math.inf, math.inf)

    inner = measured(curve.inner.values[order])
    top, middle = float(inner.max()), float(inner[len(inner) // 2])
    margin = 0.03 * (top - middle) + 1e-6 * curve.size
    tails = [measured(tail.values[order]) for tail in curve.tails]
    if any(_grows(tail.x.abs(), values, top, margin) for tail, values in zip(curve.tails, tails, strict=True)):
        return None
    root = (curve.expression, derivative(curve.expression))[order]
    start = float(curve.inner.x[inner.argmax()])
    at_zero = [float(measured(torch.tensor(curve.at_zero, dtype=torch.float64)))] if order == 0 else []
    peak = _peak(lambda x: measured(sample((root,), x)[0]), start, curve.size)
    top = max(peak, *at_zero, *(float(values.max()) for values in tails))
    return top if math.isfinite(top) else None


def _grows(distance: Tensor, values: Tensor, start: float, margin: float) -> bool:
    """Whether a tail has no bound, ``start`` being the largest value of [-50, 50].

    Its last decade exceeds all before by a margin, and by nearly as much as the decade before did: log(log(x)) rises
    by 0.87 times as much, -1/log(x) by 0.75. A tail ends where intermediate results overflow to NaN.
    """
    known = values > -math.inf
    if not known.any():
        return False
    end = distance[known].max()
    before, last_but_one, last = (max([start, *values[distance <= p * end].tolist()]) for p in (0.01, 0.1, 1.0))
    return bool(last - last_but_one > max(margin, 0.8 * (last_but_one - before)))


def _peak(function: Callable[[Tensor], Tensor], middle: float, size: float) -> float:
    """The largest value around a point of the grid, its cells divided six times; infinite where it keeps growing."""
    width = 1e-3 if abs(middle) < 10.0 else 0.05
    tops = []
    for _ in range(6):
        x = torch.linspace(middle - width, middle + width, _POINTS, dtype=torch.float64)
        values = function(x)
        best = int(values.argmax())
        tops.append(float(values[best]))
        middle, width = float(x[best]), 2.0 * width / (_POINTS - 1)
    return math.inf if tops[5] > tops[2] + 0.1 * (abs(tops[2]) + size) else max(tops)
