"""Screens: tests without training, cheapest first; each has a reason."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch

from evaluators.results.reasons import SCREENS, Reason
from primitives.analysis import breakdown, finite, moments
from primitives.equivalence.classes import GRID, Array, outputs, points
from primitives.expression.expression import Expression

LARGEST = torch.finfo(torch.float32).max
STRAIGHT = 1e-6  # largest residual of the best line, relative to the range of the outputs
FLATTEST, STEEPEST = 1e-4, 1e4  # chi of every hidden-layer activation in torch lies in [0.15, 1.4]
COARSE, CALM = 2_000, (1e-2, 1e2)  # cells that settle most cases in a tenth of the time, and for which chi they do


def screen(expression: Expression) -> Reason | None:
    """The first screen that an expression fails, or None; at initial parameters.

    Moments cost more than all other tests together and are computed for what passes those.
    """
    return screen_values(expression) or _screen_moments(expression)


def screen_values(expression: Expression) -> Reason | None:
    """The screens of :func:`screen` that look at values and at finite slopes alone."""
    if not expression.uses_input:
        return Reason.NO_INPUT
    values = outputs(expression)
    largest = float(np.abs(values).max())
    if not largest <= LARGEST:  # or NaN
        return Reason.OVERFLOW
    spread = float(np.ptp(values[0]))
    if spread <= 1e-9 * max(1.0, largest):
        return Reason.CONSTANT
    if broken := breakdown(expression, torch.float32):
        return SCREENS[broken]
    return Reason.AFFINE if _is_straight(values[0, GRID], spread) else None


def _screen_moments(expression: Expression) -> Reason | None:
    if CALM[0] < moments(expression, COARSE).chi < CALM[1]:
        return None
    chi = moments(expression).chi
    if math.isnan(chi) or chi < FLATTEST:
        return Reason.FLAT
    return Reason.STEEP if chi > STEEPEST else None


def flags(expression: Expression) -> tuple[str, ...]:
    """Half-precision types in which value or derivative is not finite for some |x| <= 50; a flag, no rejection.

    Functions of one number alone have some.
    """
    if not expression.is_pointwise:
        return ()
    types = {"bfloat16": torch.bfloat16, "float16": torch.float16}
    return tuple(name for name, dtype in types.items() if not finite(expression, dtype))


def _is_straight(y: Array, spread: float) -> bool:
    """True if the outputs on the grid of [-5, 5] lie on their least-squares line, up to 1e-6 of their range."""
    if abs(y[100] - 0.875 * y[0] - 0.125 * y[-1]) > 2.0 * STRAIGHT * spread:  # three points settle most cases
        return False
    x = _centred_grid()
    y = y - y.sum() / len(y)
    residual = y - (x @ y) / (x @ x) * x
    return float(np.abs(residual).max()) <= STRAIGHT * spread


@cache
def _centred_grid() -> Array:
    x: Array = points()[GRID].numpy()
    centred: Array = x - x.mean()
    return centred
