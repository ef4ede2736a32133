"""What the best of many noisy gains are expected to be in truth: a nonparametric empirical-Bayes estimate.

Observed mean gains are true gains from an unknown distribution g plus normal noise of standard deviation s. g is
estimated from the whole field by maximum likelihood (Kiefer and Wolfowitz 1956, Annals of Mathematical Statistics 27),
on a grid by EM (Laird 1978, JASA 73; on a grid: Koenker and Mizera 2014, JASA 109). The expected gain is the posterior
mean. It needs no correction for having chosen the best: the posterior is the same whichever were chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.training.member import Array

STEPS = 300  # of EM: few enough that g stays smooth, enough that its upper end is settled
FEWEST_POINTS, MOST_POINTS = 120, 480
EVEN_ROWS = 10  # for the interval: it then covers .81 to 1 instead of .49 to 1, see benchmarks/expected.py


@dataclass(frozen=True, slots=True)
class Expected:
    """A true gain as the search leads to expect it.

    Args:
        mean: the posterior mean, in the unit of the gains.
        low, high: the interval that holds it with a posterior probability of 95 %.
    """

    mean: float
    low: float
    high: float


def expected_gains(field: Array, chosen: Sequence[float], even: int = EVEN_ROWS) -> list[Expected] | None:
    """What is expected of chosen candidates, given the field that they were chosen from.

    With noise s (see :func:`noise`), likelihoods L[i, k] = exp(-((m_i - t_k) / s)^2 / 2) of the rows' means m_i at the
    grid's points t_k, and weights w_k, equal at first, a step of EM is w_k <- mean over i of L[i, k] w_k / sum_j L[i,
    j] w_j. The grid is [max(q.02, max - 12 s - 1), max + s / 2], q.02 a quantile of the means; what lies below it
    counts at its lower end.

    The posterior of w alone gives intervals that are too short, for w ends as a few atoms. For the interval, more
    rows that are spread evenly over the grid are mixed into w.

    Args:
        field: candidates x seeds, finite; those that were chosen are among them.
        chosen: mean gains.
        even: how many rows are spread.

    Returns:
        One for each that was chosen; without noise its gain, with an interval that is a point. None where nothing tells
        the noise: of one seed, or fewer than two candidates.
    """
    if min(field.shape) < 2 or not chosen:
        return None
    means, best = field.mean(axis=1), np.array(chosen, dtype=np.float64)
    if (s := noise(field)) == 0:
        return [Expected(gain, gain, gain) for gain in chosen]
    grid = _grid(means, max(means.max(), best.max()), s)
    weights = _weights(_likelihoods(means, grid, s))
    wider = (len(means) * weights + even / len(grid)) / (len(means) + even)
    likelihoods = _likelihoods(best, grid, s)
    centres = _posteriors(likelihoods, weights) @ grid
    ends = [_quantiles(row, grid) for row in _posteriors(likelihoods, wider)]
    return [Expected(float(mean), low, high) for mean, (low, high) in zip(centres, ends, strict=True)]


def noise(field: Array) -> float:
    """Standard deviation of the noise of a candidate's mean gain: s^2 = residual mean square / seeds.

    The residuals are those of a two-way layout, candidates by seeds (Fisher 1925): what a seed does to all alike is no
    noise between them. Only the half of the rows with the higher means counts, for bad functions scatter more.

    Args:
        field: candidates x seeds, at least 2 x 2.
    """
    rows, seeds = field.shape
    upper = field[np.argsort(-field.mean(axis=1), kind="stable")[: max(2, math.ceil(rows / 2))]]
    residuals = upper - upper.mean(axis=1, keepdims=True) - upper.mean(axis=0) + upper.mean()
    square = float((residuals**2).sum()) / ((len(upper) - 1) * (seeds - 1)) / seeds
    # sums of equal numbers leave a rest of rounding
    return math.sqrt(square) if square > (1e-12 * float(np.abs(upper).max())) ** 2 else 0.0


def _grid(means: Array, top: float, s: float) -> Array:
    """Points no further apart than s / 4, as far as 480 allow that."""
    low, high = max(float(np.quantile(means, 0.02)), top - 12 * s - 1), top + s / 2
    points = min(max(FEWEST_POINTS, math.ceil(4 * (high - low) / s)), MOST_POINTS)
    grid: Array = np.linspace(low, high, points)
    return grid


def _likelihoods(means: Array, grid: Array, s: float) -> Array:
    """Means x points, the largest of each row 1: a mean far off the grid has no other number above 0."""
    logs = -0.5 * ((means[:, None] - grid) / s) ** 2
    scaled: Array = np.exp(logs - logs.max(axis=1, keepdims=True))
    return scaled


def _weights(likelihoods: Array) -> Array:
    """The distribution on the grid after 300 steps of EM."""
    rows, points = likelihoods.shape
    weights: Array = np.full(points, 1 / points)
    for _ in range(STEPS):
        # einsum adds in one order; a BLAS divides the sum among its threads
        each = np.einsum("ik,k->i", likelihoods, weights)
        weights = weights * np.einsum("ik,i->k", likelihoods, 1 / each) / rows
    return weights


def _posteriors(likelihoods: Array, weights: Array) -> Array:
    products: Array = likelihoods * weights
    normed: Array = products / products.sum(axis=1, keepdims=True)
    return normed


def _quantiles(posterior: Array, grid: Array) -> tuple[float, float]:
    """The points at which the posterior reaches 2.5 % and 97.5 %."""
    low, high = np.searchsorted(posterior.cumsum(), [0.025, 0.975])
    return float(grid[low]), float(grid[min(high, len(grid) - 1)])
