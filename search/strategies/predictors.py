"""Which of a pool to try, given features and scores of what was tried: one function a rule, one signature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evaluators.training.member import Array

TREES, GROUP = 64, 8
NEIGHBOURS = 3

#: (features and scores of what was tried, features of the pool, how many, rng) -> indices into the pool
Choose = Callable[[Array, Array, Array, int, np.random.Generator], list[int]]


def normal_scores(gains: Array) -> Array:
    """Ranks as quantiles of the standard normal: outliers and failures, minus infinity, weigh no more than others."""
    from scipy.special import ndtri  # imported late, as all of scipy and sklearn here: half a second each
    from scipy.stats import rankdata

    quantiles: Array = ndtri((rankdata(gains) - 0.5) / len(gains))
    return quantiles


def thompson(inputs: Array, scores: Array, pool: Array, n: int, rng: np.random.Generator) -> list[int]:
    """Each place believes the mean of ``GROUP`` trees of its own and takes the best that is left."""
    predicted = _trees(inputs, scores, pool, rng)
    chosen: list[int] = []
    for _ in range(n):
        believed = predicted[rng.choice(TREES, size=GROUP, replace=False)].mean(axis=0)
        believed[chosen] = -np.inf
        chosen.append(int(believed.argmax()))
    return chosen


def improvement(inputs: Array, scores: Array, pool: Array, n: int, rng: np.random.Generator) -> list[int]:
    """The largest expected improvement over the best score (Mockus 1978), mean and spread from the trees."""
    from scipy.special import ndtr

    predicted = _trees(inputs, scores, pool, rng)
    mean, spread = predicted.mean(axis=0), predicted.std(axis=0) + 1e-9
    z = (mean - scores.max()) / spread
    expected = spread * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))
    return [int(i) for i in np.argsort(-expected, kind="stable")[:n]]


def nearest(inputs: Array, scores: Array, pool: Array, n: int, rng: np.random.Generator) -> list[int]:
    """The largest mean score of the 3 nearest functions, AQuaSurF's greedy rule."""
    from sklearn.neighbors import KNeighborsRegressor

    model = KNeighborsRegressor(min(NEIGHBOURS, len(inputs))).fit(inputs, scores)
    return [int(i) for i in np.argsort(-model.predict(pool), kind="stable")[:n]]


def _trees(inputs: Array, scores: Array, pool: Array, rng: np.random.Generator) -> Array:
    """What each tree predicts for each of the pool, shape (TREES, pool)."""
    from sklearn.ensemble import ExtraTreesRegressor

    seed = int(rng.integers(2**31))
    model = ExtraTreesRegressor(TREES, max_features=1 / 3, min_samples_leaf=2, random_state=seed).fit(inputs, scores)
    return np.array([tree.predict(pool) for tree in model.estimators_])


CHOOSE: dict[str, Choose] = {"thompson": thompson, "improvement": improvement, "nearest": nearest}
