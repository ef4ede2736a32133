"""Whether value and derivative stay finite on a wide grid in a dtype."""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch
from torch import Tensor

from primitives.equivalence.builtin import as_builtin
from primitives.equivalence.kinds import pointwise_form
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import evaluate
from primitives.expression.expression import Expression

INNER, OUTER = 50.0, 100.0  # beyond 88.7 exp overflows in float32
_OUTER_POINTS = 800


@cache
def _grid() -> Tensor:
    """2,008 points: steps of 1/8 on [-100, 100], of 1/40 on [-5, 5], zeros and tiny ones; the first 800 are outer."""
    edges = torch.tensor([0.0, -0.0, 1e-8, -1e-8, 1e-4, -1e-4], dtype=torch.float64)
    wide = torch.linspace(-OUTER, OUTER, 1_601, dtype=torch.float64)
    inner = wide.abs() <= INNER
    return torch.cat([wide[~inner], wide[inner], torch.linspace(-5.0, 5.0, 401, dtype=torch.float64), edges])


def breakdown(expression: Expression, dtype: torch.dtype) -> Literal["", "non-finite", "nan"]:
    """How value or derivative break down in a dtype, as a layer computes them.

    Returns:
        ``"non-finite"``: infinite or NaN for some |x| <= 50. ``"nan"``: NaN for some 50 < |x| <= 100, as the slope
        of ``log(1+exp(2*x))`` is where the exponential overflows. ``""``: neither.

    Raises:
        ExpressionError: it is no function of one number; see :mod:`evaluators.rejection.layer_screens`.
    """
    expression = pointwise_form(expression, "a look at a wide grid")
    form = as_builtin(expression)
    at = evaluate((form, derivative(form)), _grid().to(dtype), expression.initial_values)
    if not all(bool(values[_OUTER_POINTS:].isfinite().all()) for values in at):
        return "non-finite"
    return "nan" if any(bool(values[:_OUTER_POINTS].isnan().any()) for values in at) else ""


def finite(expression: Expression, dtype: torch.dtype) -> bool:
    """True if value and derivative are finite in a dtype for all |x| <= 50 of a grid; see :func:`breakdown`."""
    return breakdown(expression, dtype) != "non-finite"
