"""Input search: the known functions g for which a function may be ``factor * g(b*x + c) + offset``.

Neither a factor b nor a shift c of the input can be hashed stably, so one of them is searched: along a ladder of values
for the known functions that come nearest, then between the rungs. It gives names in reports and never decides which
functions share results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from primitives.equivalence.classes import kind_of
from primitives.equivalence.kinds import pointwise_form
from primitives.equivalence.outputs import GRID, Array, outputs, outputs_at, points
from primitives.expression.expression import Expression, constant, make_node, variable
from primitives.expression.traversal import rewrite

_COARSE = slice(GRID.start, GRID.stop, 20)  # 41 points of [-5, 5]
_TRIED = 20  # known functions that are looked at closely, if a rung leaves less than this of the variance:
_NEAR = 0.05
_FINER = 7  # ladders of 41 rungs, each between two neighbours of the last one's best: 0.2 becomes 2e-10


@dataclass(frozen=True, slots=True)
class InputMap:
    """``scale * x + shift``."""

    scale: float = 1.0
    shift: float = 0.0

    def of(self, g: Expression) -> Expression:
        """The expression of ``g(scale * x + shift)``."""
        moved = variable() if self.scale == 1.0 else make_node("mul", constant(self.scale), variable())
        moved = make_node("add", moved, constant(self.shift)) if self.shift else moved
        return rewrite(g, lambda node, args: moved if node.op == "x" else make_node(node.op, *args) if args else node)

    @property
    def rounded(self) -> InputMap:
        """With 6 digits."""
        return InputMap(float(f"{self.scale:.6g}"), round(self.shift, 6) + 0.0)

    @property
    def is_identity(self) -> bool:
        """True where the class of a function would have told it from g."""
        return abs(self.scale - 1.0) < 1e-3 and abs(self.shift) < 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """Maps of the input, by a value that grows.

    Args:
        values: of the rungs, increasing.
        scale: of all maps, the value being the shift; None: the value is the scale, and nothing is shifted.
    """

    values: Array
    scale: float | None = None

    def map(self, value: float) -> InputMap:
        """The map of a value, on a rung or between two."""
        return InputMap(value) if self.scale is None else InputMap(self.scale, value)

    def moved(self, values: Array, x: Tensor) -> Tensor:
        """What the maps of some values make of numbers, a row for each."""
        rows = torch.from_numpy(values)[:, None]
        return rows * x if self.scale is None else self.scale * x + rows


#: From 1/4 to 4, in steps of 2 %.
SCALES = (Ladder(np.geomspace(0.25, 4.0, 141)),)
#: From -4 to 4, in steps of 0.1, of x and of -x.
SHIFTS = tuple(Ladder(np.linspace(-4.0, 4.0, 81), scale) for scale in (1.0, -1.0))


def nearest_maps(f: Expression, known: Sequence[Expression], ladder: Ladder) -> Iterator[tuple[int, InputMap]]:
    """Number and map of the input of the known functions nearest to ``f`` up to an affine map of the output.

    The nearest are taken and come in their order; functions with learnable parameters are compared with as many of the
    same kind, at each setting.

    Raises:
        ExpressionError: ``f`` is no function of one number.
    """
    y, kind = outputs(pointwise_form(f, "maps of the input"))[:, _COARSE].ravel(), kind_of(f)
    alike = [(n, g) for n, g in enumerate(known) if g.is_pointwise and kind_of(g) == kind]
    rows = [(_unexplained(y, _on_rungs(ladder, g)), n) for n, g in alike]
    nearest = sorted((float(left.min()), number, int(left.argmin())) for left, number in rows)[:_TRIED]
    for number, rung in sorted((number, rung) for left, number, rung in nearest if left < _NEAR):
        yield number, _between_rungs(f, known[number], ladder, rung)


@lru_cache(maxsize=2048)  # some 100 kB each; a report asks for many functions
def _on_rungs(ladder: Ladder, g: Expression) -> Array:
    return _rows(ladder, ladder.values, g)


def _rows(ladder: Ladder, values: Array, g: Expression) -> Array:
    """Outputs of g with its input mapped, a row for each value."""
    moved = ladder.moved(values, points()[_COARSE])
    outs = outputs_at(g, moved.ravel())
    return outs.reshape(len(outs), *moved.shape).swapaxes(0, 1).reshape(len(moved), -1)


def _unexplained(y: Array, rows: Array) -> Array:
    """1 - r^2 of y with each row; 1 where a row is constant or not finite."""
    with np.errstate(all="ignore"):
        y, rows = y - y.mean(), rows - rows.mean(axis=1, keepdims=True)
        left = 1.0 - (rows @ y) ** 2 / ((rows * rows).sum(axis=1) * (y @ y))
    return np.where(np.isfinite(left), left, 1.0)


def _between_rungs(f: Expression, g: Expression, ladder: Ladder, rung: int) -> InputMap:
    """The best map between the two neighbours of a rung, by finer and finer ladders."""
    y, values = outputs(f)[:, _COARSE].ravel(), ladder.values
    for _ in range(_FINER):
        low, high = values[max(rung - 1, 0)], values[min(rung + 1, len(values) - 1)]
        values = np.linspace(low, high, 41)
        rung = int(_unexplained(y, _rows(ladder, values, g)).argmin())
    return ladder.map(float(values[rung]))
