"""What the Gaussian process knows of a candidate: two halves of its curve and numbers that no sign changes.

Layers with statistics, gates and ``layers(...)`` have descriptions of the same lengths. No sign of theirs is taken
away: both halves end in a constant so large that the kernel's mean over the signs is its value at none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch

from evaluators.training.member import Array
from primitives.equivalence.canonical import canonical
from primitives.equivalence.kinds import plainest
from primitives.expression.evaluation import evaluate
from primitives.expression.expression import Expression
from search.strategies.sketch import sketch

EDGE = 6.0
CELLS = 1200  # of [-6, 6]; slopes are differences between their middles
EVERY = 15  # of them, 80 in all, are in the description
LARGEST = 8.0  # values and slopes are cut there
SLOPE = 0.7  # weight of the slopes beside the values
WIDTH = 1.3  # of the normal whose root density weighs the points
DEGREES = 11  # Hermite polynomials of degree 0 to 10
_FLAT = 1e-6
_HUGE = 1e100
_UNSIGNED = 2.0  # the terms of the other signs are below exp(-2 * (2 / 0.5)^2 + 8) of the kernel's


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """A candidate f under the signs s f(t x), which train alike.

    Args:
        even: what f(-x) leaves as it is and -f(x) turns.
        odd: what both turn.
        numbers: what none changes.
    """

    even: Array
    odd: Array
    numbers: Array


@dataclass(frozen=True, slots=True, eq=False)
class Descriptions:
    """Those of many candidates: one row each."""

    even: Array
    odd: Array
    numbers: Array

    @classmethod
    def of(cls, expressions: Sequence[Expression], *, exact: bool) -> Descriptions:
        """Of functions; where ``exact`` a factor of the output counts."""
        found = [describe(each, exact=exact) for each in expressions]
        return cls(*(np.array([getattr(each, name) for each in found]) for name in ("even", "odd", "numbers")))

    def __len__(self) -> int:
        return len(self.numbers)

    def row(self, number: int) -> Descriptions:
        """One of them."""
        return Descriptions(*(part[number : number + 1] for part in (self.even, self.odd, self.numbers)))

    def and_then(self, others: Descriptions) -> Descriptions:
        """These, then others."""
        pairs = ((self.even, others.even), (self.odd, others.odd), (self.numbers, others.numbers))
        return Descriptions(*(np.concatenate(pair) for pair in pairs))


@lru_cache(maxsize=8192)
def describe(expression: Expression, *, exact: bool) -> Description:
    """A function at its initial parameters, scaled by its root mean square under the standard normal.

    Its curve: the even and the odd part of f and of 0.7 f' at points of [-6, 6], each times the root of the density of
    N(0, 1.3^2) there; f' of an even part is odd, so that it belongs to that part. Its numbers: absolute Hermite
    coefficients of degree 0 to 10, logarithms of E f'^2, E f'^4 and E f''^2, the sizes of the slopes at both ends in
    order, and how monotone it is, |E f'| / E |f'|; where ``exact`` the logarithm of the root mean square, too.

    What is no function of one number is described by its :class:`search.strategies.sketch.Sketch`.
    """
    if not plainest(expression).is_pointwise:
        return _of_sketch(expression, exact=exact)
    x, weights, hermite = _points()
    with np.errstate(all="ignore"):
        y = _values(expression, x)
        size = float(np.sqrt(weights @ np.nan_to_num(y, posinf=_HUGE, neginf=-_HUGE).clip(-_HUGE, _HUGE) ** 2))
        f = np.clip(
            np.nan_to_num(y / max(size, 1.0 / _HUGE), nan=0.0, posinf=LARGEST, neginf=-LARGEST), -LARGEST, LARGEST
        )
    slope = np.gradient(f, x)
    bend = np.gradient(slope, x)
    cut = slope.clip(-LARGEST, LARGEST)
    density = np.exp(-0.25 * (x / WIDTH) ** 2)
    ends = sorted((abs(float(slope[:50].mean())), abs(float(slope[-50:].mean()))))
    numbers = np.concatenate([
        np.abs(hermite @ f),
        np.log(_FLAT + np.array([weights @ cut**2, weights @ cut**4, 1e-3 + weights @ bend.clip(-50, 50) ** 2])),
        np.minimum(ends, LARGEST),
        [abs(weights @ cut) / (weights @ np.abs(cut) + _FLAT)],
        [float(np.clip(np.log(size + 1e-9), -20.0, 20.0))] if exact else [],
    ])  # fmt: skip
    even, odd = (_half(density * f, s) for s in (1, -1))
    even_slope, odd_slope = (_half(SLOPE * density * cut, s) for s in (-1, 1))
    return _made(np.concatenate([even, even_slope]), np.concatenate([odd, odd_slope]), numbers)


def _of_sketch(expression: Expression, *, exact: bool) -> Description:
    """Outputs in one half, gradients in the other, each with the constant behind it."""
    made = sketch(expression, 2 * (CELLS // 2 // EVERY) - 1)
    numbers = np.append(made.numbers, [made.size] if exact else [])
    slopes = SLOPE * made.slopes.clip(-LARGEST, LARGEST)
    return _made(np.append(made.values, _UNSIGNED), np.append(slopes, _UNSIGNED), numbers)


def _made(even: Array, odd: Array, numbers: Array) -> Description:
    for part in (even, odd, numbers):
        part.setflags(write=False)
    return Description(even, odd, numbers)


def _half(values: Array, sign: int) -> Array:
    """The part that is even (1) or odd (-1), at its points above 0, so that squares sum to its integral."""
    step = 2 * EDGE / CELLS * EVERY
    part = 0.5 * (values + sign * values[::-1])
    normal = (2 * np.pi * WIDTH**2) ** -0.25
    chosen: Array = part[CELLS // 2 :][EVERY // 2 :: EVERY] * (normal * np.sqrt(2 * step))
    return chosen


def _values(expression: Expression, x: Array) -> Array:
    form = canonical(expression)
    parameters = {p.name: p.initial for p in form.parameters}
    values: Array = evaluate((form,), torch.from_numpy(x), dict(parameters))[0].expand(len(x)).numpy()
    return values


@cache
def _points() -> tuple[Array, Array, Array]:
    """Middles of the cells, their probabilities under the standard normal, and He_k / sqrt(k!) times these."""
    edge = EDGE * (1.0 - 1.0 / CELLS)
    x: Array = np.linspace(-edge, edge, CELLS)
    density: Array = np.exp(-0.5 * x * x)
    weights: Array = density / density.sum()
    rows: list[Array] = [np.ones_like(x), x]
    for k in range(1, DEGREES - 1):
        rows.append((x * rows[k] - math.sqrt(k) * rows[k - 1]) / math.sqrt(k + 1))
    hermite: Array = np.stack(rows) * weights
    return x, weights, hermite
