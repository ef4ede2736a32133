"""Features for a surrogate: the shape of a function as it is trained, normalised, and its operators.

Those of every kind of candidate are of one length, as a study may have several.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np

from evaluators.training.member import Array
from primitives.equivalence.classes import has_own_slope
from primitives.equivalence.kinds import plainest
from primitives.equivalence.outputs import GRID, NORMALS, outputs, own_slopes, points
from primitives.expression.expression import Expression
from primitives.expression.traversal import postorder
from primitives.operators.table import operators
from search.strategies.sketch import sketch

_EVERY = 20  # of the 801 points on [-5, 5]: 41 remain
_POINTS = len(range(*GRID.indices(GRID.stop))[::_EVERY])
_LARGEST = 20.0  # outputs are cut there: beyond, size says little and would rule all distances


@lru_cache(maxsize=8192)
def features(expression: Expression) -> Array:
    """Outputs divided by their root mean square over standard normals, on 41 points of [-5, 5]; the slopes between
    them, or the derivative that a function has of its own; mean and slope energy over the normals' density; and how
    often each operator occurs. Read-only.

    Of a layer with statistics, a gate and ``layers(...)`` outputs and gradients at the fixed tensors stand for values
    and slopes, see :mod:`search.strategies.sketch`.
    """
    if not plainest(expression).is_pointwise:
        return _of_sketch(expression)
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
    return _row(values, slopes, float(scaled[NORMALS].mean()), energy, expression)


def _of_sketch(expression: Expression) -> Array:
    made = sketch(expression, _POINTS)
    values, slopes = np.sqrt(_POINTS) * made.values, np.sqrt(_POINTS) * made.slopes[:-1]  # as large as single values
    return _row(values, slopes, made.mean, made.energy, expression)


def _row(values: Array, slopes: Array, mean: float, energy: float, expression: Expression) -> Array:
    counts = Counter(node.op for node in postorder((expression,)) if node.args)
    row = np.concatenate([values, slopes, [mean, energy], [counts[name] for name in operators()]])
    row.setflags(write=False)
    return row


def _cut(values: Array) -> Array:
    return np.nan_to_num(values, nan=0.0, posinf=_LARGEST, neginf=-_LARGEST).clip(-_LARGEST, _LARGEST)


@lru_cache(maxsize=8192)
def size(expression: Expression) -> float:
    """What :func:`features` leave out: the log of the root mean square over standard normals, from -20 to 20."""
    if not plainest(expression).is_pointwise:
        return sketch(expression, _POINTS).size
    with np.errstate(all="ignore"):
        logarithm = np.log(np.mean(outputs(expression)[0, NORMALS] ** 2)) / 2.0
    return float(np.nan_to_num(logarithm, nan=0.0, posinf=_LARGEST, neginf=-_LARGEST).clip(-_LARGEST, _LARGEST))


def shape(expression: Expression) -> Array:
    """The part of the features that two formulas of one function have in common."""
    return features(expression)[: 2 * _POINTS + 1]
