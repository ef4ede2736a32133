"""Equivalence: one mechanism, outputs on fixed points, at three strengths.

The points are 801 on [-5, 5], shifted by sqrt(2)/1000 so that none is a short decimal or zero, and 200 fixed
normals; learnable parameters take three fixed settings. Outputs are float64.

* exact: the outputs;
* scale: the outputs divided by their largest absolute value: equal up to a positive factor;
* affine: mean and standard deviation removed, the sign fixed where |v| first exceeds half its maximum.

Each is rounded to 1e-5 of its largest value and hashed. A hash can merge functions that differ by less than the
rounding, so a hit is verified by :func:`same_function`.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from primitives.evaluation import evaluate
from primitives.expressions import Expression

Array = NDArray[np.float64]

ROUNDING = 1e-5
VERIFIED = 1e-9
VERIFIED_WIDE = 1e-6
_SETTINGS = ((1.0, 0.0), (0.6, 0.35), (1.4, -0.25))  # initial value -> factor * initial + offset * (1 + index)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The three class hashes of an expression, 16 hexadecimal digits each."""

    exact: str
    scale: str
    affine: str


@cache
def _points() -> Tensor:
    grid = np.linspace(-5.0, 5.0, 801) + math.sqrt(2.0) / 1000.0
    normals = np.random.Generator(np.random.PCG64(0)).standard_normal(200)
    return torch.from_numpy(np.concatenate([grid, normals]))


@cache
def _wide_points() -> Tensor:
    return torch.linspace(-20.0, 20.0, 321, dtype=torch.float64) + math.sqrt(2.0) / 1000.0


def outputs(expression: Expression, points: Tensor | None = None) -> Array:
    """Outputs, float64, on the fixed points (1,001 of them) or on others; three settings one after the other
    where the expression has parameters, else one.
    """
    points = _points() if points is None else points
    rows = []
    for factor, offset in _SETTINGS if expression.parameters else _SETTINGS[:1]:
        values = {p.name: factor * p.initial + offset * (1 + i) for i, p in enumerate(expression.parameters)}
        rows.append(evaluate((expression,), points, values)[0].numpy())
    return np.concatenate(rows)


@lru_cache(maxsize=8192)
def fingerprint(expression: Expression) -> Fingerprint:
    """Class hashes of an expression; parameters are taken in the order of the canonical form."""
    form = expression.canonical()
    values = outputs(form)
    # a candidate with other learnable parameters trains differently, whatever its initial outputs
    kind = "".join("c" if p.per_channel else "l" for p in form.parameters)
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    size = round(math.log(largest) / ROUNDING) if largest > 0 else "zero"
    scaled = values / largest if largest > 0 else values
    return Fingerprint(
        exact=_hash(scaled, f"{kind}:{size}"),
        scale=_hash(scaled, kind),
        affine=_hash(_standardised(scaled), kind),
    )


def _standardised(values: Array) -> Array:
    finite = values[np.isfinite(values)]
    spread = float(finite.std()) if finite.size else 0.0
    if spread < 1e-12:
        return np.zeros_like(values)
    centred = (values - float(finite.mean())) / spread
    magnitude = np.abs(np.where(np.isfinite(centred), centred, 0.0))
    sign = float(np.sign(centred[np.argmax(magnitude > 0.5 * magnitude.max())]))
    return centred * sign


def _hash(values: Array, kind: str) -> str:
    finite = np.isfinite(values)
    largest = float(np.abs(values[finite]).max()) if finite.any() else 1.0
    quantum = ROUNDING * (largest or 1.0)
    rounded = np.rint(np.where(finite, values, 0.0) / quantum).astype(np.int64)
    codes = np.where(np.isnan(values), 1, np.where(values > 0, 2, 3))
    rounded = np.where(finite, rounded, 10**9 + codes)
    return hashlib.sha256(kind.encode() + b":" + rounded.tobytes()).hexdigest()[:16]


def same_function(f: Expression, g: Expression, *, scale: bool = False) -> bool:
    """True if two functions are equal, up to a positive factor where ``scale``.

    On the fixed points the outputs must agree to 1e-9 of the largest value, and to 1e-6 on [-20, 20], since on
    [-5, 5] alone ReLU6 is ReLU.
    """
    factor = _factor(f, g) if scale else 1.0
    return _agree(f, g, factor, None, VERIFIED) and _agree(f, g, factor, _wide_points(), VERIFIED_WIDE)


def _factor(f: Expression, g: Expression) -> float:
    """The positive factor between two functions' largest finite values; 1 where there is none."""
    tops = [
        np.abs(values[np.isfinite(values)]).max(initial=0.0) for values in map(outputs, (f.canonical(), g.canonical()))
    ]
    return float(tops[0] / tops[1]) if min(tops) > 0 else 1.0


def _agree(f: Expression, g: Expression, factor: float, points: Tensor | None, tolerance: float) -> bool:
    left, right = outputs(f.canonical(), points), factor * outputs(g.canonical(), points)
    if left.shape != right.shape or not np.array_equal(np.isfinite(left), np.isfinite(right)):
        return False
    left, right = left[np.isfinite(left)], right[np.isfinite(left)]
    return left.size == 0 or bool(np.abs(left - right).max() <= tolerance * max(float(np.abs(left).max()), 1e-300))
