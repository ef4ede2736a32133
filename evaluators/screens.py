"""Screens: tests without training, cheapest first; each has a reason code."""

from __future__ import annotations

import math

import numpy as np
import torch

from primitives.analysis import finite, moments
from primitives.classes import outputs
from primitives.expressions import Expression, postorder, variable

#: Reason codes and what they mean.
REASONS = {
    "no-input": "the input does not occur",
    "constant": "all outputs are equal",
    "affine": "the outputs lie on a straight line",
    "non-finite": "value or derivative is not finite in float32 for some |x| <= 50",
    "flat": "E f'(z)^2 is below 1e-4 of E f(z)^2: no gradient reaches the layer below",
    "steep": "E f'(z)^2 is above 1e4 of E f(z)^2",
}
STRAIGHT = 1e-6  # largest residual of the best line, relative to the spread of the outputs
FLATTEST, STEEPEST = 1e-4, 1e4  # chi of every hidden-layer activation in torch lies in [0.15, 1.4]


def screen(expression: Expression) -> str:
    """Reason code of the first screen that an expression fails, or ""; at initial parameters."""
    if not _uses_input(expression):
        return "no-input"
    values = outputs(expression)
    if not np.isfinite(values).all():
        return "non-finite"
    spread = float(values.std())
    if spread <= 1e-9 * max(1.0, float(np.abs(values).max())):
        return "constant"
    if not finite(expression, torch.float32):
        return "non-finite"
    if _is_straight(expression):
        return "affine"
    chi = moments(expression).chi
    if math.isnan(chi) or chi < FLATTEST:
        return "flat"
    return "steep" if chi > STEEPEST else ""


def flags(expression: Expression) -> tuple[str, ...]:
    """Half-precision types in which value or derivative is not finite for some |x| <= 50; a flag, no rejection."""
    types = {"bfloat16": torch.bfloat16, "float16": torch.float16}
    return tuple(name for name, dtype in types.items() if not finite(expression, dtype))


def _uses_input(expression: Expression) -> bool:
    return variable() in postorder((expression,))


def _is_straight(expression: Expression) -> bool:
    """True if the outputs on [-5, 5] lie on their least-squares line, up to 1e-6 of their spread."""
    x = np.linspace(-5.0, 5.0, 501) + 1e-3
    y = expression(torch.from_numpy(x)).numpy()
    slope, offset = np.polyfit(x, y, 1)
    return bool(np.abs(y - slope * x - offset).max() <= STRAIGHT * y.std())
