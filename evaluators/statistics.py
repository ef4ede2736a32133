"""Statistics of paired gains: one number for each seed, the same seeds for candidate and control."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05
POWER = 0.8
#: Of a confirmation. For one finalist five show an effect of 1.7 standard deviations, four one of 2.1, three of 3.3.
FEWEST_SEEDS = 5
EXACT_SEEDS = 16  # 65,536 sign patterns; beyond that they are sampled


def sign_flip(gains: Sequence[float], rng: np.random.Generator) -> float:
    """Two-sided p of the sign-flip permutation test that the gains are symmetric around 0 (Fisher 1935).

    Exact up to 16 seeds; beyond, 100,000 sign patterns are drawn and the observed one is counted with them.
    """
    values = np.asarray(gains, dtype=np.float64)
    n = len(values)
    observed = abs(values.sum())
    if n <= EXACT_SEEDS:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float(np.mean(np.abs(signs @ values) >= observed * (1 - 1e-12)))
    signs = rng.choice(np.array([-1, 1]), size=(100_000, n))
    hits = np.sum(np.abs(signs @ values) >= observed * (1 - 1e-12))
    return float((hits + 1) / 100_001)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected by Holm's step-down procedure (Holm 1979), in the given order."""
    order = np.argsort(p_values, kind="stable")
    corrected, highest = np.zeros(len(p_values)), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return [float(p) for p in corrected]


def standard_error(gains: Sequence[float], ratio: float = 0.0) -> float:
    """Of the mean over seeds: s sqrt(1/n + ratio).

    Each seed divides the same examples anew, so that the gains of two seeds are correlated: the mean of many is less
    certain than s / sqrt(n) says. Nadeau and Bengio (2003, Machine Learning 52) take test / train examples for the
    ratio; see :mod:`evaluators.tasks.fresh_data` for seeds that draw their weights, too.

    Args:
        gains: one for each seed, at least two.
        ratio: of the variance that all seeds share to that of one; 0 where the seeds share no example, or where the
            mean on these very examples is meant.
    """
    return float(np.std(gains, ddof=1)) * math.sqrt(1 / len(gains) + ratio)


def in_errors(differences: NDArray[np.float64]) -> float:
    """The mean in plain standard errors; infinite where all seeds agree in one that is not 0."""
    mean, error = float(differences.mean()), float(differences.std(ddof=1)) / len(differences) ** 0.5
    return mean / error if error > 0 else math.copysign(math.inf, mean) if mean else 0.0


def t_test(gains: Sequence[float], ratio: float = 0.0) -> float:
    """Two-sided p of the corrected resampled t test that the mean is 0, of n - 1 degrees of freedom.

    Args:
        gains: one for each seed. Fewer than two, or equal ones, say nothing of the noise: p is 1.
        ratio: see :func:`standard_error`.
    """
    from scipy.special import stdtr

    if len(gains) < 2 or np.ptp(gains) == 0:
        return 1.0
    return float(2 * stdtr(len(gains) - 1, -abs(np.mean(gains)) / standard_error(gains, ratio)))


def interval(gains: Sequence[float], level: float = 0.95, ratio: float = 0.0) -> tuple[float, float] | None:
    """Interval of the mean over seeds: mean -+ t times its standard error, t of n - 1 degrees of freedom.

    With ratio 0 it is Student's (1908). It covers the mean of normal gains with the probability ``level`` at any n,
    that of skewed ones less often: see docs/confirmation.md. Of equal gains it is a point.

    Args:
        gains: one for each seed.
        level: of confidence.
        ratio: see :func:`standard_error`.

    Returns:
        The ends, in the unit of the gains; None of fewer than two seeds, which say nothing of the spread.
    """
    from scipy.special import stdtrit

    if (n := len(gains)) < 2:
        return None
    mean = float(np.mean(gains))
    half = float(stdtrit(n - 1, (1 + level) / 2)) * standard_error(gains, ratio)
    return mean - half, mean + half


def pooled_deviation(rows: Sequence[Sequence[float]]) -> float:
    """Standard deviation over seeds of several candidates' gains: the root of their mean variance."""
    return math.sqrt(float(np.mean([np.var(row, ddof=1) for row in rows])))


def smallest_effect(
    seeds: int, deviation: float, finalists: int = 1, ratio: float = 0.0, power: float = POWER, alpha: float = ALPHA
) -> float:  # fmt: skip
    """The smallest mean gain that passes Holm's first step with the probability ``power``.

    The ratio of the mean to its standard error is a noncentral t (Student's where the effect is 0); it must be above
    the quantile of a two-sided test at alpha / finalists.

    Args:
        seeds: at least two.
        deviation: of the paired differences over seeds, in the unit of the gains.
        finalists: in the family.
        ratio: see :func:`standard_error`.
        power: probability of being shown.
        alpha: of the family.
    """
    from scipy.special import nctdtrinc, stdtrit

    critical = float(stdtrit(seeds - 1, 1 - alpha / (2 * finalists)))
    return float(nctdtrinc(seeds - 1, 1 - power, critical)) * deviation * math.sqrt(1 / seeds + ratio)


def share_interval(hits: int, trials: int, alpha: float = ALPHA) -> tuple[float, float]:
    """Exact interval of a probability from ``hits`` in ``trials`` (Clopper and Pearson 1934); (0, 1) without trials."""
    from scipy.special import betaincinv

    low = float(betaincinv(hits, trials - hits + 1, alpha / 2)) if hits else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1 - alpha / 2)) if hits < trials else 1.0
    return low, high
