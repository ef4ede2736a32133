"""Whether value and derivative stay finite on a wide grid in a dtype, and a sketch of moments by the same values."""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from primitives.equivalence.builtin import as_builtin
from primitives.equivalence.kinds import pointwise_form
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import evaluate
from primitives.expression.expression import Expression
from primitives.expression.tabulated import Table

INNER, OUTER = 50.0, 100.0  # beyond 88.7 exp overflows in float32
_OUTER_POINTS, _FINE_POINTS = 800, 401
LARGEST_PART = 0.25
_EDGES = (0.0, -0.0, 1e-8, -1e-8, 1e-4, -1e-4)


@cache
def _grid() -> Tensor:
    """2,008 points: steps of 1/8 on [-100, 100], of 1/40 on [-5, 5], zeros and tiny ones; the first 800 are outer."""
    edges = torch.tensor(_EDGES, dtype=torch.float64)
    wide = torch.linspace(-OUTER, OUTER, 1_601, dtype=torch.float64)
    inner = wide.abs() <= INNER
    return torch.cat([wide[~inner], wide[inner], torch.linspace(-5.0, 5.0, _FINE_POINTS, dtype=torch.float64), edges])


_IN_FLOAT32 = Table(lambda: _grid().to(torch.float32))


@lru_cache(maxsize=4)  # both looks at a candidate come one after the other
def _values(expression: Expression, dtype: torch.dtype) -> tuple[NDArray[np.float64], ...]:
    """Value and slope on the grid in a dtype, at initial parameters; in numpy, which is faster for so few numbers."""
    form = as_builtin(pointwise_form(expression, "a look at a wide grid"))
    roots = form, derivative(form)
    at_float32 = dtype == torch.float32
    at = _IN_FLOAT32.values(roots) if at_float32 else evaluate(roots, _grid().to(dtype), form.initial_values)
    return tuple([values.numpy().astype(np.float64) if at_float32 else values.double().numpy() for values in at])


def breakdown(expression: Expression, dtype: torch.dtype) -> Literal["", "non-finite", "nan"]:
    """How value or derivative break down in a dtype, as a layer computes them.

    Returns:
        ``"non-finite"``: infinite or NaN for some |x| <= 50. ``"nan"``: NaN for some 50 < |x| <= 100, as the slope
        of ``log(1+exp(2*x))`` is where the exponential overflows. ``""``: neither.

    Raises:
        ExpressionError: it is no function of one number; see :mod:`evaluators.rejection.layer_screens`.
    """
    at = _values(expression, dtype)
    with np.errstate(invalid="ignore"):  # a sum shows what is not finite
        if all(math.isfinite(values.sum()) for values in at):
            return ""
    if not all(np.isfinite(values[_OUTER_POINTS:]).all() for values in at):
        return "non-finite"
    return "nan" if any(np.isnan(values[:_OUTER_POINTS]).any() for values in at) else ""


def finite(expression: Expression, dtype: torch.dtype) -> bool:
    """True if value and derivative are finite in a dtype for all |x| <= 50 of a grid; see :func:`breakdown`."""
    return breakdown(expression, dtype) != "non-finite"


def sketched_chi(expression: Expression) -> float:
    """About :attr:`primitives.analysis.gaussian.Moments.chi`, from the float32 values that :func:`breakdown` looks at.

    Where a function changes little between points 1/40 apart it is right to a percent. NaN where it is 0 throughout,
    or where a point has more than a quarter of a sum, as at a pole.

    Raises:
        ExpressionError: see :func:`breakdown`.
    """
    second, slope = (_expected_square(values) for values in _values(expression, torch.float32))
    return slope / second if second > 0 else math.nan


def _expected_square(values: NDArray[np.float64]) -> float:
    inside = values[_OUTER_POINTS:]
    parts = _weights() * inside * inside
    total = float(parts.sum())
    return total if float(parts.max()) <= LARGEST_PART * total else math.nan


@cache
def _weights() -> NDArray[np.float64]:
    """Of the inner points: the standard normal's density times the step, fine ones on [-5, 5], the others up to 10."""
    x = _grid()[_OUTER_POINTS:].numpy()
    fine = np.arange(len(x)) >= len(x) - _FINE_POINTS - len(_EDGES)
    steps = np.where(fine, 1 / 40, np.where((np.abs(x) >= 5.0) & (np.abs(x) <= 10.0), 1 / 8, 0.0))
    steps[np.abs(x) == 5.0] /= 2.0
    steps[len(x) - len(_EDGES) :] = 0.0
    weights: NDArray[np.float64] = steps * np.exp(-0.5 * x * x)
    return weights
