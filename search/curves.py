"""Drawing a function: which part of its values to show, and where its curve has a gap."""

from __future__ import annotations

import torch
from torch import Tensor


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
