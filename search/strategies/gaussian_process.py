"""A Gaussian process over candidates (Rasmussen, Williams 2006), whose kernel sees no signs and no output factor.

Shapes are compared by the mean of exp(-d^2 / 2 l^2) over f, f(-x), -f(x) and -f(-x). With a function split into its
even part a and its odd part b, d^2 between s f(t x) and g is |a|^2 + |b|^2 + |a'|^2 + |b'|^2 - 2 s (a.a' + t b.b'), and
the mean over the signs s and t is exp(-(|a|^2 + ... + |b'|^2) / 2 l^2) cosh(a.a' / l^2) cosh(b.b' / l^2). It is the sum
over the signs of both, too, as they leave d as it is where both have them; so it is a kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.training.member import Array
from primitives.expression.expression import Expression
from search.strategies.description import Descriptions
from search.strategies.predictors import Question

LENGTH = 0.5  # of shapes, in root mean squares of f
LENGTH_OF_NUMBERS = 3.0  # in their standard deviations
NOISES = (0.01, 0.03, 0.1, 0.3, 1.0)  # variance over the kernel's; the likeliest is taken
SMALLEST = 0.05  # of regrets, in the gain's unit
VARIANCE = 2.0  # of each by the kernel: a half, a half and 1
EXPLORE = 1.5  # standard deviations above the mean that a choice believes in


@dataclass(frozen=True, slots=True)
class Standard:
    """Numbers in units of their spread among some candidates."""

    mean: Array
    spread: Array

    @classmethod
    def of(cls, numbers: Array) -> Standard:
        """By the mean and standard deviation of each column."""
        return cls(numbers.mean(axis=0), numbers.std(axis=0) + 1e-6)

    def __call__(self, numbers: Array) -> Array:
        scaled: Array = (numbers - self.mean) / self.spread
        return scaled


def kernel(left: Descriptions, right: Descriptions, standard: Standard) -> Array:
    """Covariance of each on the left with each on the right: half by shape, half by numbers, and a constant of 1."""
    from scipy.spatial.distance import cdist  # imported late, as all of scipy here: half a second

    squared = cdist(standard(left.numbers), standard(right.numbers), "sqeuclidean")
    by_number = np.exp(-0.5 * squared / LENGTH_OF_NUMBERS**2)
    covariance: Array = 0.5 * shape_kernel(left, right) + 0.5 * by_number + 1.0
    return covariance


def shape_kernel(left: Descriptions, right: Descriptions) -> Array:
    """The mean over the signs, over its geometric mean with itself; 1 for functions that are equal up to signs."""
    log_left, log_right = (_log_cosh(_own(d.even)) + _log_cosh(_own(d.odd)) for d in (left, right))
    log_both = _log_cosh(left.even @ right.even.T / LENGTH**2) + _log_cosh(left.odd @ right.odd.T / LENGTH**2)
    # the factors exp(-|a|^2 / 2 l^2) of both sides drop out with the division
    return np.asarray(np.exp(log_both - 0.5 * (log_left[:, None] + log_right[None])))


def _own(rows: Array) -> Array:
    return np.asarray((rows**2).sum(axis=1) / LENGTH**2)


def _log_cosh(z: Array) -> Array:
    size = np.abs(z)
    return np.asarray(size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0))


def targets(gains: Array) -> Array:
    """-log(s + regret), s the regrets' lower quartile and 0.05; the best are far apart, the bad ones close together.

    A gain that is not finite, of a failure, counts as the lowest.
    """
    finite = gains[np.isfinite(gains)]
    regrets = finite.max() - np.where(np.isfinite(gains), gains, finite.min())
    return np.asarray(-np.log(float(np.quantile(regrets, 0.25)) + SMALLEST + regrets))


@dataclass(frozen=True, slots=True)
class Fit:
    """A process that was fitted to values: the likeliest noise and amplitude (type II).

    Args:
        noise: variance of a value over the amplitude.
        amplitude: variance that the kernel's 1 stands for.
        root: Cholesky factor of the covariance of the values, lower.
        whitened: the values less their mean, after the inverse of the root.
    """

    noise: float
    amplitude: float
    root: Array
    whitened: Array

    @property
    def unlikeliness(self) -> float:
        """Minus twice the log marginal likelihood, up to a constant."""
        return float(len(self.whitened) * np.log(self.amplitude) + 2.0 * np.log(np.diag(self.root)).sum())


def fitted(covariance: Array, values: Array) -> Fit:
    """The likeliest of the noises; ``covariance`` is without noise."""
    return min((_fit(covariance, values, noise) for noise in NOISES), key=lambda fit: fit.unlikeliness)


def _fit(covariance: Array, values: Array, noise: float) -> Fit:
    from scipy.linalg import cholesky, solve_triangular

    root = cholesky(covariance + noise * np.eye(len(values)), lower=True)
    whitened = solve_triangular(root, values - values.mean(), lower=True)
    amplitude = float((whitened**2).mean()) + 1e-12  # where all values are equal it would be 0
    return Fit(noise, amplitude, root, whitened)


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed of some candidates.

    Args:
        mean: of each.
        variance: of each, without noise, over the amplitude.
        explained: whitened covariances with what was tried or is pending, (these, candidates).
        fit: to what was tried.
        standard: of the numbers.
    """

    mean: Array
    variance: Array
    explained: Array
    fit: Fit
    standard: Standard


def posterior(
    tried: Descriptions, values: Array, candidates: Descriptions, pending: Descriptions | None = None
) -> Posterior:
    """The posterior of candidates after results of others, or of their own.

    What is pending is believed to come out as its mean: it takes from variances and leaves means as they are.
    """
    from scipy.linalg import cholesky, solve_triangular

    standard = Standard.of(np.concatenate([tried.numbers, candidates.numbers]))
    fit = fitted(kernel(tried, tried, standard), values)
    seen = tried if pending is None else tried.and_then(pending)
    noise = fit.noise * np.eye(len(seen))
    root = fit.root if pending is None else cholesky(kernel(seen, seen, standard) + noise, lower=True)
    explained = solve_triangular(root, kernel(seen, candidates, standard), lower=True)
    mean = values.mean() + explained[: len(tried)].T @ fit.whitened
    return Posterior(mean, VARIANCE - (explained**2).sum(axis=0), explained, fit, standard)


def promising(question: Question) -> list[int]:
    """The highest upper confidence bounds of the pool, one after the other.

    Each choice, like what is pending, is believed to come out as its mean (GP-BUCB, Desautels et al. 2014): means stay,
    and variances shrink by an update of rank one.
    """
    tried, pool = (Descriptions.of(each, exact=question.exact) for each in (question.tried, question.pool))
    pending = Descriptions.of(question.pending, exact=question.exact) if question.pending else None
    believed = posterior(tried, targets(question.gains), pool, pending)
    rows, variance = believed.explained, believed.variance
    chosen: list[int] = []
    for _ in range(question.n):
        bounds = believed.mean + EXPLORE * np.sqrt(believed.fit.amplitude * np.maximum(variance, 0.0))
        bounds[chosen] = -np.inf
        best = int(bounds.argmax())
        left = kernel(pool.row(best), pool, believed.standard)[0] - rows[:, best] @ rows
        row = left / np.sqrt(max(float(variance[best]), 0.0) + believed.fit.noise)
        rows, variance = np.vstack([rows, row]), variance - row**2
        chosen.append(best)
    return chosen


def posterior_mean(expressions: Sequence[Expression], gains: Sequence[float], *, exact: bool = False) -> Array:
    """What is believed of functions after their own noisy results; larger is better, only the order means something.

    Args:
        expressions: the functions.
        gains: theirs; not finite for a failure; at least one is finite.
        exact: functions that differ by a factor are two.

    Returns:
        A number for each, in the unit of :func:`targets`.
    """
    described = Descriptions.of(expressions, exact=exact)
    return posterior(described, targets(np.array(gains, dtype=np.float64)), described).mean
