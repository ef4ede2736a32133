"""Shape of a function on the whole line: smooth, monotone, bounded, Lipschitz, slopes of its tails."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch

from primitives.analysis.curve import HALF_DECADE, Curve, Piece
from primitives.analysis.smoothness import smoothness
from primitives.analysis.supremum import supremum


@dataclass(frozen=True, slots=True)
class Shape:
    """Features of a function f on the whole line. None: there is no such number.

    Args:
        smoothness: ``"discont"``, ``"C0"``, ``"C1"``, ``"C2"`` or ``"Cinf"``, the last for no jump up to f'''.
        monotone: ``"non-decreasing"`` (a constant too), ``"non-increasing"`` or ``"no"``.
        low: inf f.
        high: sup f.
        lipschitz: sup |f'|; None where f jumps, too.
        left_slope: lim f(x)/x for x to -inf, which is the limit of f' where that exists.
        right_slope: the same for x to inf.
    """

    smoothness: str
    monotone: str
    low: float | None
    high: float | None
    lipschitz: float | None
    left_slope: float | None
    right_slope: float | None


def shape(curve: Curve) -> Shape | None:
    """Shape seen on [-50, 50] and in the tails up to 1e8; None where f is not a number somewhere on [-50, 50]."""
    if curve.inner.values[0].isnan().any():
        return None
    smooth, steepest = smoothness(curve)
    depth = supremum(curve, 0, torch.neg)
    slope = None if smooth == "discont" or math.isinf(steepest) else supremum(curve, 1, torch.abs)
    return Shape(
        smoothness=smooth,
        monotone=_monotone(curve),
        low=None if depth is None else 0.0 - depth,
        high=supremum(curve, 0, torch.positive),
        lipschitz=None if slope is None else max(slope, steepest),
        left_slope=_tail_slope(curve.tails[0], curve.size),
        right_slope=_tail_slope(curve.tails[1], curve.size),
    )


def _monotone(curve: Curve) -> str:
    """From the steps on [-50, 50] that are above 1e-10 of the function's size."""
    rises = falls = False
    for piece in (curve.left, curve.normal, curve.right):
        f = piece.values[0]
        steps, noise = f.diff(), 1e-10 * (f[1:].abs() + curve.size)
        rises |= bool((steps > noise).any())
        falls |= bool((steps < -noise).any())
    if rises and falls:
        return "no"
    return "non-increasing" if falls else "non-decreasing"


def _tail_slope(tail: Piece, size: float) -> float | None:
    """lim f(x)/x; None where it is infinite or there is none.

    From secants of half a decade each, up to the last point where f is finite: the last two agree, or the last four
    decay towards 0, as for sqrt(x).
    """
    f = tail.values[0]
    known = f.isfinite()
    x, f = tail.x[known].flip(0)[::HALF_DECADE], f[known].flip(0)[::HALF_DECADE]
    secants = (f.diff() / x.diff()).tolist()
    if len(secants) < 2:
        return None
    last, before = secants[:2]
    if abs(last - before) <= 1e-3 * abs(last) + 1e-6 * size:
        return last if abs(last) > 1e-6 * size else 0.0
    decays = len(secants) >= 4 and all(0.0 < a / b < 0.97 for a, b in itertools.pairwise(secants[:4]) if b)
    return 0.0 if decays else None
