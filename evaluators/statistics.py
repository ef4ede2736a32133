"""Statistics of paired gains: one number for each seed, the same seeds for candidate and control."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

ALPHA = 0.05
EXACT_SEEDS = 16  # 65,536 sign patterns; beyond that they are sampled


def seeds_needed(finalists: int, alpha: float = ALPHA) -> int:
    """Seeds with which one of ``finalists`` can pass Holm's first step: ceil(log2(2m / alpha)).

    The smallest two-sided p of a sign-flip test on n seeds is 2^(1-n).
    """
    return math.ceil(math.log2(2 * finalists / alpha))


def carried(seeds: int, alpha: float = ALPHA) -> int:
    """The most finalists of which one can pass Holm's first step with so many seeds; see :func:`seeds_needed`."""
    return math.floor(alpha * 2.0 ** (seeds - 1))


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


def interval(gains: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Interval of the mean over seeds: mean -+ t s / sqrt(n), t of n - 1 degrees of freedom (Student 1908).

    It covers the mean of normal gains with the probability ``level`` at any n, that of skewed ones less often: see
    docs/confirmation.md. Of equal gains it is a point.

    Returns:
        The ends, in the unit of the gains; None of fewer than two seeds, which say nothing of the spread.
    """
    from scipy.special import stdtrit

    values = np.asarray(gains, dtype=np.float64)
    if (n := len(values)) < 2:
        return None
    mean = float(values.mean())
    half = float(stdtrit(n - 1, (1 + level) / 2)) * float(values.std(ddof=1)) / math.sqrt(n)
    return mean - half, mean + half


def share_interval(hits: int, trials: int, alpha: float = ALPHA) -> tuple[float, float]:
    """Exact interval of a probability from ``hits`` in ``trials`` (Clopper and Pearson 1934); (0, 1) without trials."""
    from scipy.special import betaincinv

    low = float(betaincinv(hits, trials - hits + 1, alpha / 2)) if hits else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1 - alpha / 2)) if hits < trials else 1.0
    return low, high
