"""Pareto dominance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluators.training.member import Array


def dominates(a: Array, b: Array) -> NDArray[np.bool_]:
    """Whether a is no worse than b in any value and better in one; smaller is better.

    Args:
        a, b: points, (..., values), of shapes that broadcast.
    """
    better: NDArray[np.bool_] = np.logical_and((a <= b).all(axis=-1), (a < b).any(axis=-1))
    return better
