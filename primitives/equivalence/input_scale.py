"""Input scale: the known functions g for which a function may be ``factor * g(b*x) + offset``.

An input scale cannot be hashed stably, so it is searched: along a ladder of scales for the known functions that come
nearest, then between the rungs. It gives names in reports and never decides which functions share results.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from primitives.equivalence.classes import GRID, Array, kind_of, outputs, outputs_at, points
from primitives.expression.expression import Expression, constant, make_node, variable
from primitives.expression.traversal import rewrite

SMALLEST, LARGEST = 0.25, 4.0
_LADDER = np.geomspace(SMALLEST, LARGEST, 141)  # steps of 2 %
_COARSE = slice(GRID.start, GRID.stop, 20)  # 41 points of [-5, 5]
_TRIED = 20  # known functions that are looked at closely
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_STEPS = 40  # of golden section: 4 % become 2e-10


def nearest_scales(f: Expression, known: Sequence[Expression]) -> Iterator[tuple[int, float]]:
    """Number and input scale b, in [1/4, 4], of the known functions nearest to ``f`` up to an affine map of the output.

    Nearest first; functions with learnable parameters are compared with as many of the same kind, at each setting.
    """
    ladders = [(_ladder(f, g), number) for number, g in enumerate(known) if kind_of(g) == kind_of(f)]
    nearest = sorted((float(ladder.min()), number, int(ladder.argmin())) for ladder, number in ladders)
    for _, number, rung in nearest[:_TRIED]:
        yield number, _between_rungs(f, known[number], rung)


def with_scaled_input(g: Expression, b: float) -> Expression:
    """The expression of ``g(b*x)``."""
    scaled = make_node("mul", constant(b), variable())
    return rewrite(g, lambda node, args: scaled if node.op == "x" else make_node(node.op, *args) if args else node)


def _ladder(f: Expression, g: Expression) -> Array:
    """What the best affine map of g(b*x) leaves of the variance of f, for each b of the ladder."""
    x = points()[_COARSE]
    values = outputs_at(g, (torch.from_numpy(_LADDER)[:, None] * x).ravel())
    rows = values.reshape(len(values), len(_LADDER), len(x)).swapaxes(0, 1).reshape(len(_LADDER), -1)
    return _unexplained(outputs(f)[:, _COARSE].ravel(), rows)


def _unexplained(y: Array, rows: Array) -> Array:
    """1 - r^2 of y with each row; 1 where a row is constant or not finite."""
    with np.errstate(all="ignore"):
        y, rows = y - y.mean(), rows - rows.mean(axis=1, keepdims=True)
        left = 1.0 - (rows @ y) ** 2 / ((rows * rows).sum(axis=1) * (y @ y))
    return np.where(np.isfinite(left), left, 1.0)


def _between_rungs(f: Expression, g: Expression, rung: int) -> float:
    """The best scale between the two neighbours of a rung, by golden section."""
    y = outputs(f).ravel()

    def unexplained(b: float) -> float:
        return float(_unexplained(y, outputs_at(g, b * points()).reshape(1, -1))[0])

    low, high = float(_LADDER[max(rung - 1, 0)]), float(_LADDER[min(rung + 1, len(_LADDER) - 1)])
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = unexplained(left), unexplained(right)
    for _ in range(_STEPS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = unexplained(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = unexplained(right)
    return 0.5 * (low + high)
