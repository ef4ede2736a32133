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
RACED, SCATTER_STEPS = 2_000, 60  # rows, and steps of EM, for the scatter of a raced field: half a second on a core
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


def expected_gains(field: Array, chosen: Array, even: int = EVEN_ROWS) -> list[Expected] | None:
    """What is expected of chosen candidates, given the field that they were chosen from.

    With noise s_i of a row's mean m_i (see :class:`_Scatter`), likelihoods L[i, k] = exp(-((m_i - t_k) / s_i)^2 / 2) at
    the grid's points t_k, and weights w_k, equal at first, a step of EM is w_k <- mean over i of L[i, k] w_k / sum_j
    L[i, j] w_j. The grid is [max(q.02, max - 12 s - 1), max + s / 2], q.02 a quantile of the means; what lies below it
    counts at its lower end.

    The posterior of w alone gives intervals that are too short, for w ends as a few atoms. For the interval, more
    rows that are spread evenly over the grid are mixed into w.

    Args:
        field: gains, candidates x seeds; NaN behind a candidate's last seed, where not all have equally many.
        chosen: gains of those that were chosen, likewise, on the same seeds.
        even: how many rows are spread.

    Returns:
        One for each that was chosen; without noise its gain, with an interval that is a point. None where nothing tells
        the noise: nobody has two seeds, or there are fewer than two candidates.
    """
    if len(field) < 2 or not len(chosen) or field.shape[1] < 2:
        return None
    scatter = _scatter(field)
    (means, s), (best, s_best) = scatter.of(field), scatter.of(chosen)
    if scatter.noise == 0:
        return [Expected(gain, gain, gain) for gain in best.tolist()]
    grid = _grid(means, max(means.max(), best.max()), s)
    weights = _weights(_likelihoods(means, grid, s))
    wider = (len(means) * weights + even / len(grid)) / (len(means) + even)
    likelihoods = _likelihoods(best, grid, s_best)
    # einsum: a BLAS adds a row otherwise when it is alone
    centres = np.einsum("ik,k->i", _posteriors(likelihoods, weights), grid)
    ends = [_quantiles(row, grid) for row in _posteriors(likelihoods, wider)]
    return [Expected(float(mean), low, high) for mean, (low, high) in zip(centres, ends, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class _Scatter:
    """How seeds scatter.

    Args:
        noise: standard deviation of the noise of one seed.
        seeds: what each seed does to all alike, 0 in the mean: no noise between rows that have the same seeds.
    """

    noise: float
    seeds: Array

    def of(self, rows: Array) -> tuple[Array, Array]:
        """Mean of each row, freed of what its seeds do to all, and the standard deviation of its noise."""
        return np.nanmean(rows - self.seeds[: rows.shape[1]], axis=1), self.noise / np.sqrt(_counts(rows))


def _scatter(field: Array) -> _Scatter:
    seeds = field.shape[1]
    if not np.isnan(field).any():
        return _Scatter(noise(field) * math.sqrt(seeds), np.zeros(seeds))
    return _raced(field[-RACED:])


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


def _raced(field: Array) -> _Scatter:
    """How seeds scatter where the better candidates have more of them.

    Who has a later seed was decided by the earlier ones, and there the best were lucky, so that a two-way layout would
    take their luck for an effect of the seed. Given all seeds of a candidate, the expectation of its true gain t is
    right all the same (Rubin 1976, Biometrika 63). So EM has g, the effects and the noise together: c_s <- mean of y_s
    - E[t], s^2 <- mean of E[(y_s - c_s - t)^2], over the later seeds s of the half that is better on the first ones.
    """
    everyone = ~np.isnan(field).any(axis=0)  # seeds that all have
    first = field[:, everyone].mean(axis=1)
    raced = ~np.isnan(field) & ~everyone
    upper = first >= np.median(first[raced.any(axis=1)] if not raced[first >= np.median(first)].any() else first)
    later = raced & upper[:, None]
    effects = np.zeros(field.shape[1])
    effects[everyone] = field[upper][:, everyone].mean(axis=0) - field[upper][:, everyone].mean()
    seen, values = later.any(axis=0), np.where(later, field, 0.0)
    least = 1e-12 * float(np.nanmax(np.abs(field))) + 1e-300  # sums of equal numbers leave a rest of rounding
    scatter = _Scatter(max(float(np.nanstd(field - np.nanmean(field, axis=1, keepdims=True))), least), effects)
    grid = weights = np.zeros(0)
    for step in range(SCATTER_STEPS):
        means, s = scatter.of(field)
        if step == 0:
            grid = _grid(means, float(means.max()), s)
            weights = np.full(len(grid), 1 / len(grid))
        posterior = _posteriors(_likelihoods(means, grid, s), weights)
        # evenly spread rows, too: the effects move the means, and no point may be impossible
        weights = (posterior.sum(axis=0) + EVEN_ROWS / len(grid)) / (len(field) + EVEN_ROWS)
        true = np.einsum("ik,k->i", posterior, grid)
        spread = np.maximum(np.einsum("ik,k->i", posterior, grid**2) - true**2, 0.0)  # below 0 by rounding alone
        rests = np.where(later, values - true[:, None], 0.0)
        effects[seen] = rests.sum(axis=0)[seen] / later.sum(axis=0)[seen]
        squares = np.where(later, (rests - effects) ** 2 + spread[:, None], 0.0)
        scatter = _Scatter(max(math.sqrt(squares.sum() / later.sum()), least), effects)
    return _Scatter(scatter.noise if scatter.noise > least else 0.0, effects - effects.mean())


def padded(rows: Sequence[Sequence[float] | Array]) -> Array:
    """Rows of different lengths as an array, NaN behind the last number of each."""
    table: Array = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
    for line, row in zip(table, rows, strict=True):
        line[: len(row)] = row
    return table


def _counts(rows: Array) -> Array:
    """How many seeds each row has."""
    counts: Array = (~np.isnan(rows)).sum(axis=1).astype(np.float64)
    return counts


def _grid(means: Array, top: float, s: Array) -> Array:
    """Points no further apart than a quarter of the smallest s, as far as 480 allow that."""
    low, high = max(float(np.quantile(means, 0.02)), top - 12 * float(s.max()) - 1), top + float(s.max()) / 2
    points = min(max(FEWEST_POINTS, math.ceil(4 * (high - low) / float(s.min()))), MOST_POINTS)
    grid: Array = np.linspace(low, high, points)
    return grid


def _likelihoods(means: Array, grid: Array, s: Array) -> Array:
    """Means x points, the largest of each row 1: a mean far off the grid has no other number above 0."""
    logs = -0.5 * ((means[:, None] - grid) / s[:, None]) ** 2
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
