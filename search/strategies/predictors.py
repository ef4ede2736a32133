"""Which of a pool to try, given what was tried: one question, and one function a rule that answers it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.training.member import Array
from primitives.expression.expression import Expression
from search.strategies.features import features, size

NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class Question:
    """Which candidates to try next.

    Args:
        tried: candidates with results.
        gains: theirs; minus infinity for a failure; at least two are finite.
        pending: candidates whose results are not known yet.
        pool: to choose from.
        n: how many, at most the pool's.
        exact: functions that differ by a factor are two.
    """

    tried: Sequence[Expression]
    gains: Array
    pending: Sequence[Expression]
    pool: Sequence[Expression]
    n: int
    exact: bool


#: -> indices into the pool
Choose = Callable[[Question], list[int]]


def normal_scores(gains: Array) -> Array:
    """Ranks as quantiles of the standard normal: outliers and failures, minus infinity, weigh no more than others."""
    from scipy.special import ndtri  # imported late, as all of scipy and sklearn here: half a second each
    from scipy.stats import rankdata

    quantiles: Array = ndtri((rankdata(gains) - 0.5) / len(gains))
    return quantiles


def nearest(question: Question) -> list[int]:
    """The largest mean score of the 3 nearest functions, AQuaSurF's greedy rule."""
    from sklearn.neighbors import KNeighborsRegressor

    inputs, pool = (row_of_each(each, exact=question.exact) for each in (question.tried, question.pool))
    model = KNeighborsRegressor(min(NEIGHBOURS, len(inputs))).fit(inputs, normal_scores(question.gains))
    return [int(i) for i in np.argsort(-model.predict(pool), kind="stable")[: question.n]]


def row_of_each(expressions: Sequence[Expression], *, exact: bool) -> Array:
    """Features of each, with the size where functions that differ by a factor are two."""
    return np.array([np.append(features(each), size(each)) if exact else features(each) for each in expressions])
