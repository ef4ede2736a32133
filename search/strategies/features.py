"""Features for a surrogate: the shape of a function as it is trained, normalised, and its operators."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np

from evaluators.training.member import Array
from primitives.equivalence.classes import GRID, NORMALS, has_own_slope, outputs, own_slopes, points
from primitives.expression.expression import Expression
from primitives.expression.traversal import postorder
from primitives.operators.table import operators

_EVERY = 20  # of the 801 points on [-5, 5]: 41 remain
_LARGEST = 20.0  # outputs are cut there: beyond, size says little and would rule all distances


@lru_cache(maxsize=8192)
def features(expression: Expression) -> Array:
    """Outputs divided by their root mean square over standard normals, on 41 points of [-5, 5]; the slopes between
    them, or the derivative that a function has of its own; mean and slope energy over the normals' density; and how
    often each operator occurs. Read-only.
    """
    x, y = points().numpy(), outputs(expression)[0]
    with np.errstate(all="ignore"):
        size = float(np.sqrt(np.mean(y[NORMALS] ** 2)))
        scaled = _cut(y / size)
    at, values = x[GRID][::_EVERY], scaled[GRID][::_EVERY]
    slopes = np.diff(values) / np.diff(at)
    if has_own_slope(expression):
        slopes = _cut(own_slopes(expression)[0, GRID][::_EVERY][:-1] / size)
    slopes = slopes.clip(-_LARGEST, _LARGEST)
    density = np.exp(-0.5 * at[:-1] ** 2)
    energy = float((slopes**2 * density).sum() / density.sum())
    counts = Counter(node.op for node in postorder((expression,)) if node.args)
    row = np.concatenate([values, slopes, [scaled[NORMALS].mean(), energy], [counts[name] for name in operators()]])
    row.setflags(write=False)
    return row


def _cut(values: Array) -> Array:
    return np.nan_to_num(values, nan=0.0, posinf=_LARGEST, neginf=-_LARGEST).clip(-_LARGEST, _LARGEST)


@lru_cache(maxsize=8192)
def size(expression: Expression) -> float:
    """What :func:`features` leave out: the log of the root mean square over standard normals, from -20 to 20."""
    with np.errstate(all="ignore"):
        logarithm = np.log(np.mean(outputs(expression)[0, NORMALS] ** 2)) / 2.0
    return float(np.nan_to_num(logarithm, nan=0.0, posinf=_LARGEST, neginf=-_LARGEST).clip(-_LARGEST, _LARGEST))


def shape(expression: Expression) -> Array:
    """The part of the features that two formulas of one function have in common."""
    count = len(range(*GRID.indices(GRID.stop))[::_EVERY])
    return features(expression)[: 2 * count + 1]
