"""Screens: tests without training, cheapest first; each has a reason."""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np
import torch

from evaluators.rejection.layer_screens import FLATTEST, LARGEST, STEEPEST, finite_in, screen_layer
from evaluators.results.reasons import SCREENS, Reason
from primitives.analysis import breakdown, finite, moments, sketched_chi
from primitives.equivalence.kinds import plainest
from primitives.equivalence.outputs import GRID, Array, outputs, points
from primitives.expression.expression import Expression
from primitives.operators.axes import ALL_AXES
from primitives.operators.operator import LAYERS

STRAIGHT = 1e-6  # largest residual of the best line, relative to the range of the outputs
# chi of every hidden-layer activation in torch lies in [0.15, 1.4], far within FLATTEST and STEEPEST
COARSE, CALM = 2_000, (1e-2, 1e2)  # cells that settle most cases in a tenth of the time, and for which chi they do
# for which a sketch of chi, from values that are there, settles it: a factor of 20 within FLATTEST and STEEPEST
CALMEST = (20.0 * FLATTEST, STEEPEST / 20.0)


@lru_cache(maxsize=4096)  # a search proposes every tenth again
def screen(expression: Expression, axes: int = ALL_AXES) -> Reason | None:
    """The first screen that an expression fails, or None; at initial parameters.

    Moments cost more than all other tests together and are computed for what passes those. Layers with statistics and
    gates are looked at by :func:`evaluators.rejection.layer_screens.screen_layer`; ``layers(...)`` fails by the first
    of its functions that fails.

    Args:
        expression: of any kind.
        axes: of the inputs of the job's places, as a mask; see :func:`evaluators.places.axes.axes_of_places`.
    """
    if expression.op == LAYERS:
        return next(filter(None, (screen(part, axes) for part in expression.parts)), None)
    function = plainest(expression)
    if not function.is_pointwise:
        return screen_layer(function, axes)
    return screen_values(function) or _screen_moments(function)


def screen_values(expression: Expression) -> Reason | None:
    """The screens of :func:`screen` that look at values and at finite slopes alone, of a function of one number."""
    if not expression.uses_input:
        return Reason.NO_INPUT
    values = outputs(expression)
    low, high = float(values[0].min()), float(values[0].max())
    largest = max(high, -low) if len(values) == 1 else float(np.abs(values).max())
    if not largest <= LARGEST:  # or NaN
        return Reason.OVERFLOW
    spread = high - low
    if spread <= 1e-9 * max(1.0, largest):
        return Reason.CONSTANT
    if broken := breakdown(expression, torch.float32):
        return SCREENS[broken]
    return Reason.AFFINE if _is_straight(values[0, GRID], spread) else None


def _screen_moments(expression: Expression) -> Reason | None:
    if CALMEST[0] < sketched_chi(expression) < CALMEST[1] or CALM[0] < moments(expression, COARSE).chi < CALM[1]:
        return None
    chi = moments(expression).chi
    if math.isnan(chi) or chi < FLATTEST:
        return Reason.FLAT
    return Reason.STEEP if chi > STEEPEST else None


def flags(expression: Expression) -> tuple[str, ...]:
    """Half-precision types in which value or derivative is not finite for some |x| <= 50, or at the fixed tensors; a
    flag, no rejection.
    """
    types = {"bfloat16": torch.bfloat16, "float16": torch.float16}
    functions = [plainest(part) for part in expression.parts]
    return tuple(name for name, dtype in types.items() if not all(_is_finite(each, dtype) for each in functions))


def _is_finite(function: Expression, dtype: torch.dtype) -> bool:
    return finite(function, dtype) if function.is_pointwise else finite_in(function, dtype)


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
