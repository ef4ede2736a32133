"""Nearest: the known function whose shape comes closest to a function's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from primitives.catalogue import Entry, catalogue
from primitives.equivalence.kinds import pointwise_form
from primitives.equivalence.outputs import GRID, Array, outputs, points
from primitives.expression.expression import Expression

_TIE = 1e-5  # names that are one function at their initial parameters


@dataclass(frozen=True, slots=True)
class Nearest:
    """A known function and how far it is.

    Args:
        entry: the known function.
        distance: root of E (f(z) / rms f - g(z) / rms g)^2 for a standard normal z, cut at 5; 0 for equal up to a
            positive factor, sqrt(2) for uncorrelated, 2 for opposite.
    """

    entry: Entry
    distance: float


def nearest_known(expression: Expression) -> Nearest | None:
    """The catalogue's function of one number of the smallest distance, parameters at their initial values.

    None if the function is not finite on [-5, 5] or zero throughout.

    Raises:
        ExpressionError: it is no function of one number.
    """
    unit = _unit(pointwise_form(expression, "the nearest known function"))
    if unit is None:
        return None
    distances = [np.inf if row is None else float(np.sqrt((unit - row) ** 2 @ _weights())) for row in _known()]
    least = min(distances)
    best = next(n for n, each in enumerate(distances) if each <= least + _TIE)  # well-known ones come first
    return Nearest(catalogue()[best], distances[best])


@cache
def _weights() -> Array:
    """Of the grid's points under a standard normal; their sum is 1."""
    density = np.exp(-0.5 * points()[GRID].numpy() ** 2)
    weights: Array = density / density.sum()
    return weights


@cache
def _known() -> tuple[Array | None, ...]:
    return tuple(_unit(entry.expression) if entry.expression.is_pointwise else None for entry in catalogue())


def _unit(expression: Expression) -> Array | None:
    """Values on the grid over their root mean square."""
    values: Array = outputs(expression)[0, GRID]
    with np.errstate(over="ignore", invalid="ignore"):
        size = float(np.sqrt(values**2 @ _weights()))
    return values / size if np.isfinite(values).all() and 0 < size < np.inf else None
