"""Whether value and derivative are finite on a wide grid in a dtype."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from primitives.derivative import derivative
from primitives.evaluation import evaluate
from primitives.expressions import Expression


@cache
def _wide_grid() -> Tensor:
    edges = torch.tensor([0.0, -0.0, 1e-8, -1e-8, 1e-4, -1e-4], dtype=torch.float64)
    return torch.cat([torch.linspace(-50.0, 50.0, 4_001, dtype=torch.float64), edges])


def finite(expression: Expression, dtype: torch.dtype) -> bool:
    """True if value and derivative are finite in a dtype on 4,007 points of [-50, 50], zeros and tiny ones included."""
    x = _wide_grid().to(dtype)
    value, slope = evaluate((expression, derivative(expression)), x, expression.bind({}))
    return bool(torch.isfinite(value).all() and torch.isfinite(slope).all())
