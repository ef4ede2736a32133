"""Equivalence: one mechanism, outputs on fixed points, at three strengths.

The points are those of :mod:`primitives.equivalence.outputs`.

* exact: the outputs;
* scale: the outputs divided by their largest absolute value: equal up to a positive factor;
* affine: the mean removed, divided by the largest absolute value, positive where that first exceeds one half.

Where a function has a derivative of its own, as ``paired(f, g)`` has, that is hashed, too. Layers with statistics and
gates have other inputs, see :mod:`primitives.equivalence.tensors`; ``layers(f, g)`` is the same as its parts are.

Each is rounded to 1e-5 of its largest value and hashed. A hash can merge functions that differ by less than the
rounding, so a hit is verified by :func:`same_function`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from primitives.equivalence.canonical import canonical
from primitives.equivalence.outputs import INTERVALS, Array, outputs, own_slopes, wide_outputs, wide_slopes
from primitives.expression.expression import Expression
from primitives.expression.parameters import Parameter
from primitives.operators.formulas import valued
from primitives.operators.operator import LAYERS

ROUNDING = 1e-5
VERIFIED = 1e-9
VERIFIED_WIDE = 1e-6
_SHIFT = math.sqrt(2.0) / 10.0  # before rounding, or a plateau at 1/64 of the largest value lies between two integers


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The three class hashes of an expression, 16 hexadecimal digits each."""

    exact: str
    scale: str
    affine: str


@lru_cache(maxsize=1024)
def has_own_slope(expression: Expression) -> bool:
    """True if the derivative is not that of the value: a pair, unless both its parts have the same derivative."""
    if not (expression.is_paired or expression.has_formulas):
        return False  # no canonical form has a pair that was not there
    form = canonical(expression)
    if form.op == LAYERS:
        return any(has_own_slope(part) for part in form.parts)
    if not form.is_paired:
        return False
    own, of_value = own_slopes(expression), own_slopes(valued(canonical(expression)))
    return own.shape != of_value.shape or not _agree(own, of_value, VERIFIED * largest_finite(of_value))


def kind_of(expression: Expression) -> str:
    """Granularities of the learnable parameters, "l", "c" or "n" each, "p" for a derivative of its own, "s" for
    statistics, "z" for a second input: a part of every class, for a candidate with other ones trains differently,
    whatever its initial outputs.
    """
    form = canonical(expression)
    if form.is_pointwise and not (form.is_learnable or form.is_paired or expression.has_formulas):
        return ""
    marks = {"p": has_own_slope(expression), "s": form.has_statistics, "z": "z" in form.inputs}
    return "".join([*(p.per[0] for p in form.parameters), *(mark for mark, is_so in marks.items() if is_so)])


@lru_cache(maxsize=8192)
def fingerprint(expression: Expression) -> Fingerprint:
    """Class hashes of an expression; parameters are taken in the order of the canonical form."""
    return Fingerprint(*_exact_and_scale(expression), _affine(expression))


@lru_cache(maxsize=8192)  # apart: a search asks for no affine class
def _exact_and_scale(expression: Expression) -> tuple[str, str]:
    form = canonical(expression)
    if form.op == LAYERS:
        parts = [_exact_and_scale(part) for part in form.parts]
        return _of_parts(form, [exact for exact, _ in parts]), _of_parts(form, [scale for _, scale in parts])
    values, scaled, largest = _scaled(expression)
    scale = _hash(scaled, _kind(expression, largest) + (b"" if len(scaled) == len(values) else _marks(values)))
    size = round(math.log(largest) / ROUNDING + _SHIFT) if largest > 0 else "zero"
    return hashlib.sha256(f"{scale}:{size}".encode()).hexdigest()[:16], scale


def _affine(expression: Expression) -> str:
    form = canonical(expression)
    if form.op == LAYERS:
        return _of_parts(form, [_affine(part) for part in form.parts])
    values, scaled, largest = _scaled(expression)
    standardised, unit = _standardised(scaled)
    marks = b"" if len(scaled) == len(values) else _marks(math.copysign(1.0, unit) * values)
    return _hash(standardised, _kind(expression, unit * largest) + marks)


def _scaled(expression: Expression) -> tuple[Array, Array, float]:
    """All outputs, the finite ones over the largest of them, and that one."""
    values = outputs(expression).ravel()
    finite = np.isfinite(values)
    known = values if finite.all() else values[finite]
    largest = float(np.abs(known).max(initial=0.0))
    return values, known / largest if largest > 0 else known, largest


def _kind(expression: Expression, unit: float) -> bytes:
    """What is hashed beside the outputs."""
    kind = kind_of(expression).encode()
    return kind + _slope_key(expression, unit) if has_own_slope(expression) else kind


def _of_parts(form: Expression, classes: Sequence[str]) -> str:
    """The class of ``layers(f1, ..., fk)``: those of its parts, in their order, and what these share."""
    text = ":".join([LAYERS, repr(shared_parameters(form)), *classes])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def shared_parameters(form: Expression) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Of each parameter per network that several parts have: the numbers of the part and of the parameter there."""
    uses: dict[Parameter, list[tuple[int, int]]] = {}
    for number, part in enumerate(form.parts):
        for index, p in enumerate(part.parameters):
            if p.per == "network":
                uses.setdefault(p, []).append((number, index))
    return tuple(tuple(each) for each in uses.values() if len(each) > 1)


def _slope_key(expression: Expression, unit: float) -> bytes:
    """The derivative of its own in units of the outputs, by its shape and its size."""
    slopes = own_slopes(expression).ravel()
    largest = largest_finite(slopes) or 1.0
    size = round(math.log(largest / (abs(unit) or 1.0)) / ROUNDING + _SHIFT)
    shape = np.nan_to_num(math.copysign(1.0, unit) * slopes / largest, nan=0.0, posinf=0.0, neginf=0.0)
    return f"{size}:{_hash(shape, _marks(slopes))}".encode()


def class_of(expression: Expression, *, exact: bool) -> str:
    """The hash of an expression's exact class, or else of its scale class."""
    return _exact_and_scale(expression)[0 if exact else 1]


def _standardised(values: Array) -> tuple[Array, float]:
    """Mean 0, largest absolute value 1, positive where that first exceeds one half; 0 for a constant. And its unit."""
    centred = values - float(values.sum()) / max(1, values.size)
    magnitude = np.abs(centred)
    largest = float(magnitude.max(initial=0.0))
    if largest < 1e-12:
        return np.zeros_like(values), 1.0
    signed = math.copysign(largest, centred[int((magnitude > 0.5 * largest).argmax())])
    return centred / signed, signed


def _marks(values: Array) -> bytes:
    """Where outputs are infinite, with their sign, or NaN."""
    return np.where(np.isnan(values), 2.0, np.sign(values) * np.isinf(values)).astype(np.int8).tobytes()


def _hash(values: Array, kind: bytes) -> str:
    """Hash of values with a largest absolute value of 1 or 0, rounded to 1e-5."""
    codes = np.rint(values / ROUNDING + _SHIFT).astype(np.int32)
    return hashlib.sha256(kind + b":" + codes.tobytes()).hexdigest()[:16]


def largest_finite(values: Array) -> float:
    """The largest finite absolute value; 0 where there is none."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def same_function(f: Expression, g: Expression, *, scale: bool = False) -> bool:
    """True if two functions are equal, up to a positive factor where ``scale``; see :func:`is_map_of`.

    Parameters must have the same granularities, in their order: others train differently. Parts of ``layers(...)``
    are compared in their order, each up to a factor of its own.
    """
    left, right = canonical(f), canonical(g)
    if left is right:
        return True
    if LAYERS in {left.op, right.op}:
        pairs = list(zip(left.parts, right.parts, strict=False))
        alike = len(left.parts) == len(right.parts) and shared_parameters(left) == shared_parameters(right)
        return alike and all(same_function(a, b, scale=scale) for a, b in pairs)
    if [p.per for p in left.parameters] != [p.per for p in right.parameters]:
        return False
    return is_map_of(f, g, scale_factor(outputs(f), outputs(g)) if scale else 1.0)


def scale_factor(f: Array, g: Array) -> float:
    """The positive factor between the largest of two functions' outputs; 1 where one is zero throughout."""
    left, right = largest_finite(f), largest_finite(g)
    return left / right if min(left, right) > 0 else 1.0


def best_line(x: Array, y: Array) -> tuple[float, float]:
    """Slope and offset of the least-squares line through the points that are finite; (0, 0) where there is none."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    if not x.size:
        return 0.0, 0.0
    centred = x - x.mean()
    slope = float(centred @ y) / (float(centred @ centred) or 1.0)
    return slope, float(y.mean() - slope * x.mean())


def is_map_of(f: Expression, g: Expression, factor: float, offset: float = 0.0, *, tolerance: float = VERIFIED) -> bool:
    """True if ``f = factor * g + offset``, also for each setting of learnable parameters.

    On the fixed points the outputs must agree to ``tolerance`` times the largest; on each of [-100, -20], [-20, 20]
    and [20, 100] to 1e-6 of the largest there, or to ``tolerance`` where that is more, since on [-5, 5] alone ReLU6 is
    ReLU. Differences below 1e-9 of the largest at the fixed points are none: ``1+erf(x)`` is 0 below -6, ``erfc(-x)``
    is not. Where one is infinite or NaN, the other must be the same. A derivative of its own must be ``factor`` times
    that of the other, likewise.
    """
    if not _is_map(outputs, wide_outputs, f, g, factor, offset, tolerance):
        return False
    own = has_own_slope(f)
    if own != has_own_slope(g):
        return False
    return not own or _is_map(own_slopes, wide_slopes, f, g, factor, 0.0, tolerance)


def _is_map(
    near: Callable[[Expression], Array], wide: Callable[[Expression], Array],
    f: Expression, g: Expression, factor: float, offset: float, tolerance: float,
) -> bool:  # fmt: skip
    """The same of outputs, or of derivatives, at the fixed and at the wide points."""
    left, right = near(f), near(g)
    if left.shape != right.shape:
        return False
    largest = largest_finite(left)
    with np.errstate(over="ignore"):
        if not _agree(left, factor * right + offset, tolerance * largest):
            return False
        parts = zip(*(np.split(wide(each), len(INTERVALS), axis=1) for each in (f, g)), strict=True)
        relative, floor = max(VERIFIED_WIDE, tolerance), VERIFIED * largest
        return all(_agree(a, factor * b + offset, max(floor, relative * largest_finite(a))) for a, b in parts)


def _agree(left: Array, right: Array, tolerance: float) -> bool:
    return np.allclose(left, right, rtol=0.0, atol=tolerance, equal_nan=True)
