"""Outputs on fixed points, by which functions are compared.

The points are 801 on [-5, 5], shifted by sqrt(2)/1000 so that none is a short decimal or zero, and 200 fixed
normals; learnable parameters take three fixed settings. Outputs are float64. The wide points are a second look. Layers
with statistics and gates have other inputs, see :mod:`primitives.equivalence.tensors`.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from primitives.equivalence.canonical import canonical
from primitives.equivalence.tensors import SCALES, WIDE, outputs_at_tensors, slopes_at_tensors
from primitives.expression.derivative import derivative
from primitives.expression.expression import Expression
from primitives.expression.tabulated import Table

Array = NDArray[np.float64]

GRID, NORMALS = slice(0, 801), slice(801, 1001)  # the two kinds of fixed points
_SETTINGS = ((1.0, 0.0), (0.6, 0.35), (1.4, -0.25))  # initial value -> factor * initial + offset * (1 + index)
INTERVALS = ((-100.0, -20.0), (-20.0, 20.0), (20.0, 100.0))


@cache
def points() -> Tensor:
    """The 1,001 fixed points, float64: the grid, then the normals."""
    grid = np.linspace(-5.0, 5.0, 801) + math.sqrt(2.0) / 1000.0
    normals = np.random.Generator(np.random.PCG64(0)).standard_normal(200)
    return torch.from_numpy(np.concatenate([grid, normals]))


@cache
def _wide_points() -> Tensor:
    """161 points on each of the intervals."""
    parts = [torch.linspace(low, high, 161, dtype=torch.float64) for low, high in INTERVALS]
    return torch.cat(parts) + math.sqrt(2.0) / 1000.0


_AT_POINTS, _AT_WIDE_POINTS = Table(points), Table(_wide_points)


def outputs_at(expression: Expression, x: Tensor) -> Array:
    """Outputs of a pointwise function at points ``x`` (n,), float64: one row, or with parameters three, one for each
    setting of them.
    """
    form = canonical(expression)
    return _at_settings(form, form, Table(lambda: x))


def _at_settings(root: Expression, form: Expression, table: Table) -> Array:
    """Outputs of an expression over some of the parameters of a form, which go by their order there."""
    values: dict[str, Tensor | float] = {
        p.name: torch.tensor(
            [[factor * p.initial + offset * (1 + i)] for factor, offset in _SETTINGS], dtype=torch.float64
        )
        for i, p in enumerate(form.parameters)
    }
    found = table.values((root,), values)[0]
    rows: Array = found.numpy().reshape(-1, found.shape[-1])
    rows.setflags(write=False)
    return rows


@lru_cache(maxsize=256)
def own_slopes(expression: Expression) -> Array:
    """The derivative by the input at the fixed points, as :func:`outputs`; of layers and gates gradients."""
    form = canonical(expression)
    if not form.is_pointwise:
        return slopes_at_tensors(form, _SETTINGS)
    return _at_settings(derivative(form), form, _AT_POINTS)


@lru_cache(maxsize=256)
def wide_slopes(expression: Expression) -> Array:
    """The derivative at the wide points, as :func:`wide_outputs`."""
    form = canonical(expression)
    if not form.is_pointwise:
        return np.concatenate([slopes_at_tensors(form, _SETTINGS, scale, WIDE) for scale in SCALES], axis=1)
    return _at_settings(derivative(form), form, _AT_WIDE_POINTS)


@lru_cache(maxsize=256)
def outputs(expression: Expression) -> Array:
    """Outputs at the fixed points, read-only, (1, 1001) or (3, 1001); parameters go by their order in the canonical
    form. Those of layers and gates are at the fixed tensors, 432 a row.
    """
    form = canonical(expression)
    return _at_settings(form, form, _AT_POINTS) if form.is_pointwise else outputs_at_tensors(form, _SETTINGS)


@lru_cache(maxsize=256)
def wide_outputs(expression: Expression) -> Array:
    """Outputs at 161 points on each of the intervals, as :func:`outputs`."""
    form = canonical(expression)
    if form.is_pointwise:
        return _at_settings(form, form, _AT_WIDE_POINTS)
    return np.concatenate([outputs_at_tensors(form, _SETTINGS, scale, WIDE) for scale in SCALES], axis=1)
