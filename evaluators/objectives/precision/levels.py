"""Rounding to levels that lie evenly on either side of zero."""

from __future__ import annotations

import torch
from torch import Tensor


def to_levels(values: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Values rounded to ``levels`` evenly spaced ones on either side of zero, or to zero.

    Args:
        values: shape (models, ...).
        levels: the outermost is a model's largest absolute value.

    Returns:
        The rounded ones, and the largest absolute value of each model, shape (models, 1, ...).
    """
    largest = values.flatten(1).abs().amax(dim=1).view(-1, *[1] * (values.dim() - 1))
    step = largest.div(levels).clamp_min(torch.finfo(values.dtype).tiny)
    return torch.round(values / step) * step, largest
