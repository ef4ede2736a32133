"""Sketches: layers with statistics, gates and ``layers(...)`` as short rows of numbers.

A function of a place is looked at by its outputs and gradients at the fixed tensors of
:mod:`primitives.equivalence.tensors`, scaled by the outputs' root mean square; both are projected at random, which
keeps distances up to some tenths (Johnson and Lindenstrauss 1984). Of ``layers(f1, ..., fk)`` the first half of a row
is the mean over the functions, the second half a mean with weights that rise from -1 at the first to 1 at the last, so
that order counts; of one function for all places that half is 0. No sign is taken away: such candidates have classes of
their own for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from evaluators.training.member import Array
from primitives.equivalence.tensors import outputs_at_tensors, slopes_at_tensors, tensors
from primitives.expression.expression import Expression

LARGEST = 20.0  # outputs and gradients are cut there, in root mean squares of the outputs
DEGREES = 11  # Hermite polynomials of degree 0 to 10
_INITIAL = ((1.0, 0.0),)
_HUGE = 1e100


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """A candidate in some numbers; sizes are in root mean squares of the outputs.

    Args:
        values: projected outputs; their squares sum to about 1.
        slopes: projected gradients of both inputs.
        mean: of the outputs.
        energy: mean square of the gradients.
        size: log of the root mean square of the outputs, from -20 to 20; of ``layers(...)`` the mean.
        numbers: what else is compared: absolute Hermite coefficients by the first input, of degree 0 to 10; log mean
            square and log fourth moment of its gradients, and log mean square of those of the second input; outputs at
            5 times and a tenth of the tensors, each over that scale; how much gradients agree in sign.
    """

    values: Array
    slopes: Array
    mean: float
    energy: float
    size: float
    numbers: Array


@lru_cache(maxsize=8192)
def sketch(expression: Expression, width: int) -> Sketch:
    """The sketch of a candidate of any kind, at its initial parameters; rows of ``width`` numbers, finite."""
    seen = [_look(part) for part in expression.parts]
    values = _placed([_projected(look.values, width) for look in seen], width)
    slopes = _placed([_projected(look.slopes, width) for look in seen], width)
    for row in (values, slopes):
        row.setflags(write=False)
    return Sketch(
        values=values,
        slopes=slopes,
        mean=float(np.mean([look.values.mean() for look in seen])),
        energy=float(np.mean([(look.slopes**2).mean() for look in seen])),
        size=float(np.mean([look.size for look in seen])),
        numbers=np.mean([look.numbers for look in seen], axis=0),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    values: Array
    slopes: Array
    size: float
    numbers: Array


@lru_cache(maxsize=8192)
def _look(part: Expression) -> _Look:
    """Outputs (432,) and gradients (864,) of the function of one place."""
    with np.errstate(all="ignore"):
        raw = outputs_at_tensors(part, _INITIAL)[0]
        size = _rms(raw)
        values = _cut(raw / max(size, 1.0 / _HUGE))
        slopes = _cut(slopes_at_tensors(part, _INITIAL)[0] / max(size, 1.0 / _HUGE))
        reach = [_rms(outputs_at_tensors(part, _INITIAL, scale)[0]) / scale / max(size, 1e-9) for scale in (5.0, 0.1)]
    by_x, by_z = np.split(slopes, 2)
    along = by_x * tensors()[2].numpy().ravel()  # the fixed upstream gradient, whose sign the gradients have
    numbers = np.concatenate([
        np.abs(_hermite() @ values),
        np.log(1e-6 + np.array([np.mean(by_x**2), np.mean(by_x**4), np.mean(by_z**2)])),
        np.clip(reach, 0.0, LARGEST),
        [abs(along.mean()) / (np.abs(along).mean() + 1e-6)],
    ])  # fmt: skip
    return _Look(values, slopes, float(np.clip(np.log(size + 1e-9), -20.0, 20.0)), numbers)


def _rms(values: Array) -> float:
    finite = np.nan_to_num(values, nan=0.0, posinf=_HUGE, neginf=-_HUGE).clip(-_HUGE, _HUGE)
    return float(np.sqrt(np.mean(finite**2)))


def _cut(values: Array) -> Array:
    return np.nan_to_num(values, nan=0.0, posinf=LARGEST, neginf=-LARGEST).clip(-LARGEST, LARGEST)


def _projected(values: Array, width: int) -> Array:
    """At random to half the width; its squares sum to about the mean of those of the values."""
    row: Array = _matrix(len(values), (width + 1) // 2) @ values
    return row


def _placed(rows: Sequence[Array], width: int) -> Array:
    places = np.linspace(-1.0, 1.0, len(rows)) if len(rows) > 1 else np.zeros(1)
    table = np.stack(rows)
    return np.concatenate([table.mean(axis=0), (places @ table) / len(rows)])[:width]


@cache
def _matrix(length: int, count: int) -> Array:
    draw = np.random.Generator(np.random.PCG64(1))  # not 0: the fixed tensors are those draws
    matrix: Array = draw.standard_normal((count, length)) / np.sqrt(count * length)
    return matrix


@cache
def _hermite() -> Array:
    """He_k / sqrt(k!) at the first tensor, brought to mean 0 and variance 1, over the number of its elements."""
    x = tensors()[0].numpy().ravel()
    x = (x - x.mean()) / x.std()
    rows: list[Array] = [np.ones_like(x), x]
    for k in range(1, DEGREES - 1):
        rows.append((x * rows[k] - np.sqrt(k) * rows[k - 1]) / np.sqrt(k + 1))
    table: Array = np.stack(rows) / len(x)
    return table
