"""A function as curves: value and slope, which part of them to show, and where a curve has a gap.

Both pictures of a function are made of these. There are two, because no drawing can be both: ``search/export/plot.py``
writes files, .png among them, and sets text with matplotlib, which takes a second to import; the report's page has a
picture for each of 48 members, inline, with the page's own text and with colours that CSS changes in the dark and on
paper, and must be written at the end of a job that has no use for matplotlib. Its front alone, ``front --plot``, is
drawn there.
"""

from __future__ import annotations

import torch
from torch import Tensor

from primitives.expression.derivative import derivative
from primitives.expression.evaluation import evaluate
from primitives.expression.expression import Expression

_POINTS = 4_000  # so many that a jump can be told from a steep slope; 0 is none of them


def value_and_slope(function: Expression, end: float) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs from ``-end`` to ``end``, f and f' there at the initial parameters, each (4000,) of float64.

    The slope is NaN where the value is not finite.
    """
    x = torch.linspace(-end, end, _POINTS, dtype=torch.float64)
    value, slope = evaluate((function, derivative(function)), x, function.initial_values)
    return x, value, torch.where(value.isfinite(), slope, torch.nan)


def limits(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Limits of the axis: all of a tame function, the middle of one that explodes.

    The middle is where 80 % of the values on [-2, 2] lie; shown is up to three times as much, or all where that is no
    more than four times as much.
    """
    finite = y[y.isfinite()]
    middle = y[y.isfinite() & (x.abs() < 2.0)]
    if not len(middle):
        middle = finite
    if not len(middle):
        return -1.0, 1.0
    low, high = (float(v) for v in middle.quantile(torch.tensor([0.1, 0.9], dtype=y.dtype)))
    least, most, spread = float(finite.min()), float(finite.max()), high - low
    if most - least > 4.0 * spread > 0.0:
        least, most = max(least, low - spread), min(most, high + spread)
    margin = 0.06 * (most - least) or 1.0
    return least - margin, most + margin


def with_gaps(y: Tensor, height: float) -> Tensor:
    """The values, with none before a jump or a pole: a step above 1 % of the axis that is far above those beside it."""
    steps = y.diff().abs()
    jump = torch.zeros_like(y, dtype=torch.bool)
    jump[2:-3] = (steps[2:-2] > 0.01 * height) & (steps[2:-2] > 5.0 * torch.maximum(steps[:-4], steps[4:]))
    return torch.where(jump | ~y.isfinite(), torch.nan, y)


def shortened(text: str, length: int) -> str:
    """The beginning of a text that is too long for its place in a picture."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
