"""The best levels for a derivative under normal inputs: k-means of its values, solved by dynamic programming."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from primitives.analysis.gaussian import normal_grid
from primitives.analysis.sampling import sample
from primitives.expression.expression import Expression
from primitives.fewbit.steps import Steps, joined, rounded

Array = NDArray[np.float64]

COARSE = 2_000  # cells of the dynamic programme, whose time grows with the square: 0.1 s at 16 levels
_ROUNDS = 200  # of Lloyd's method, which begins next to its end
_WIDEST = 6.0  # borders lie within; 2e-9 of the inputs are beyond, where the outer pieces go on
_HALVINGS = 50  # of a cell of 1/1000


def fit_slope(slope: Expression, count: int) -> Steps:
    """The steps q of a number of levels that minimise E[(f'(z) - q(z))^2], z standard normal.

    For given levels the best q takes at each x the nearest one, and a level has a cell of neighbouring values of f'.
    So the optimum over all q is k-means of the values of f', which in one dimension is solved exactly by dynamic
    programming (Wang and Song 2011, The R Journal 3/2): here on 2,000 cells of [-10, 10], and Lloyd's method goes on
    from there on 20,000. A level may have several pieces: tanh' needs a level once for both sides of 0, where steps
    with as many pieces as levels (Novikov et al. 2022, arXiv:2202.00441) have three times the error at 2 bits.

    Args:
        slope: f', finite on [-10, 10], without parameters.
        count: of levels, at least one; where f' has fewer values, these are the levels.

    Returns:
        Steps with borders on [-6, 6], to 10 decimals, and levels to 12 digits.
    """
    z, weights = (part.numpy() for part in normal_grid())
    values = _at(slope, z)
    levels = np.array(sorted(set(rounded(values.tolist()))))
    if len(levels) > count:
        coarse, mass = (part.numpy() for part in normal_grid(COARSE))
        counted = mass > 1e-9 / COARSE  # sums of the others are rounding
        levels = improved(k_means(_at(slope, coarse[counted]), mass[counted], count), values, weights)
    return _steps(slope, levels, z, values)


def k_means(values: Array, weights: Array, count: int) -> Array:
    """The levels, rising, that minimise the weighted sum of squared distances of values to their nearest level.

    Args:
        values: shape (n,).
        weights: shape (n,), positive.
        count: of levels, at most n.
    """
    order = np.argsort(values, kind="stable")
    v, w = values[order], weights[order]
    mass, first, second = (np.concatenate([[0.0], np.cumsum(part)]) for part in (w, w * v, w * v * v))
    ends = np.arange(len(v) + 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # row: where a cell begins, column: where it ends
        cost = (second - second[:, None]) - (first - first[:, None]) ** 2 / (mass - mass[:, None])
    cost[ends[:, None] >= ends] = np.inf
    best = np.where(ends == 0, 0.0, np.inf)
    begins = []
    for _ in range(count):
        total = best[:, None] + cost
        begins.append(total.argmin(axis=0))
        best = total[begins[-1], ends]
    cuts = [len(v)]
    for begin in reversed(begins):
        cuts.append(int(begin[cuts[-1]]))
    edges = cuts[::-1]
    return np.diff(first[edges]) / np.diff(mass[edges])


def improved(levels: Array, values: Array, weights: Array) -> Array:
    """The levels after Lloyd's method: each becomes the mean of the values that it is nearest to."""
    for _ in range(_ROUNDS):
        nearest = np.searchsorted(0.5 * (levels[1:] + levels[:-1]), values)
        mass = np.bincount(nearest, weights, len(levels))
        means = np.divide(np.bincount(nearest, weights * values, len(levels)), mass, levels.copy(), where=mass > 0)
        if np.array_equal(means, levels):
            break
        levels = means
    return levels


def _steps(slope: Expression, levels: Array, z: Array, values: Array) -> Steps:
    """The steps that take the nearest level everywhere; where that changes is found by halving."""
    inside = np.abs(z) < _WIDEST
    z, values = z[inside], values[inside]
    middles = 0.5 * (levels[1:] + levels[:-1])
    number = np.searchsorted(middles, values)
    (at,) = np.nonzero(np.diff(number))
    low, high = z[at], z[at + 1]
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        same = np.searchsorted(middles, _at(slope, middle)) == number[at]
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    pieces = rounded(levels[number[np.concatenate([[0], at + 1])]].tolist())
    return joined(pieces, (np.round(high, 10) + 0.0).tolist())


def _at(slope: Expression, x: Array) -> Array:
    values: Array = sample((slope,), torch.from_numpy(x))[0].numpy()
    return values
