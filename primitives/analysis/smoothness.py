"""How often a function is continuously differentiable: a search for jumps of f, f', f'' and f'''.

A jump shows on a grid as a second difference far above its neighbours. So does anything narrower than the grid;
hence the cells around such a place are divided four times by about ten. A jump keeps its height, anything else
shrinks with the cell: that tells tanh(1e4*x) from a step.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from primitives.analysis.curve import Curve, Piece, values_at

CLASSES = ("discont", "C0", "C1", "C2", "Cinf")

_SUSPECTS = 8  # per piece
_CONTRAST = 4.0  # of a second difference with its neighbours
_CELLS = 32  # of one division; the next divides three of them
_KEPT = 0.6  # of its height in one division: a jump keeps all, sqrt(abs(x)) a third, a smooth place a tenth
_GROWTH = 1.1  # of the largest value in two divisions: there is a pole, be it only a logarithm's
_SMALLEST = 1e-6  # height of a jump, relative to the value there or the function's size, whichever is larger


def smoothness(curve: Curve) -> tuple[str, float]:
    """Class of differentiability on [-50, 50], and the steepest slope found at kinks.

    Returns:
        ``"discont"``, ``"C0"``, ``"C1"``, ``"C2"`` or ``"Cinf"``, the last for no jump up to f'''; and the largest
        |f'| met while dividing cells around jumps of f', infinite where it keeps growing as at the zero of a root.
    """
    pieces = (curve.left, curve.normal, curve.right)
    for order, name in enumerate(CLASSES[:-1]):
        intervals = torch.cat([_suspects(piece, min(order, 2), curve.size) for piece in pieces])
        largest = _largest_at_jumps(curve, order, intervals) if len(intervals) else None
        if largest is not None:
            return name, largest if order == 1 else 0.0
    return CLASSES[-1], 0.0


def _suspects(piece: Piece, order: int, size: float) -> Tensor:
    """Intervals, one a row, around the second differences that stand out most."""
    values = piece.values[order]
    bends = values.diff(n=2).abs().nan_to_num(0.0, 0.0)  # bends[i] is around point i + 1
    noise = 1e-10 * (values[5:-5].abs() + size)
    contrasts = (bends[4:-4] / (torch.maximum(bends[:-8], bends[8:]) + noise)).nan_to_num(0.0)
    contrast, place = contrasts.topk(_SUSPECTS)
    place = place[contrast > _CONTRAST] + 5
    return torch.stack([piece.x[place - 1], piece.x[place + 1]], dim=1)


def _largest_at_jumps(curve: Curve, order: int, intervals: Tensor) -> float | None:
    """Largest |derivative of an order| where it jumps, infinite at a pole; None without a jump after four divisions."""
    heights, largest = [], []
    for _ in range(4):
        x = torch.lerp(intervals[:, :1], intervals[:, 1:], torch.linspace(0.0, 1.0, _CELLS + 1, dtype=torch.float64))
        values = values_at(curve.expression, x)
        v, reach = (values[order], 1) if order < 3 else (values[2].diff(dim=1) / x.diff(dim=1), 2)
        # a cell with a kink of f'' has a slope between those beside it: the difference across it is the jump
        height, place = (v[:, reach:] - v[:, :-reach]).abs().nan_to_num(0.0, math.inf).max(dim=1)
        intervals = torch.stack([_entry(x, place + reach - 2), _entry(x, place + reach + 1)], dim=1)
        heights.append(height)
        largest.append(v.abs().nan_to_num(0.0, math.inf).amax(dim=1))
    grows = largest[-1] > _GROWTH * largest[-3]
    level = _SMALLEST * _entry(v.abs(), place).clamp(min=curve.size)
    real = ((heights[-1] >= _KEPT * heights[-2]) | grows) & (heights[-1] > level)
    if order == 3:  # a jump of f'' that is too small to count makes f''' grow by ten with every division
        real &= heights[-1] < 8.0 * heights[-2]
    if not real.any():
        return None
    return math.inf if grows[real].any() else float(largest[-1][real].max())


def _entry(rows: Tensor, place: Tensor) -> Tensor:
    """The entry of each row at a place, or at the nearest end of the row."""
    return rows.gather(1, place.clamp(0, rows.shape[1] - 1)[:, None])[:, 0]
