"""The kernels of a stack's formulas: one interprets the programs of all slices, one sums the parameters' gradients.

A program instance is a block of elements of one slice. It reads the slice's row of the table, then the instructions
one by one. What is computed stays in a file of ``FILE`` blocks, which are the processor's own registers: the number of
a register is the same for a whole block, so that finding it costs branches and no memory. See ``docs/gpu.md`` for the
count.
"""

from __future__ import annotations

import triton
import triton.language as tl

from evaluators.gpu.operators import operator
from evaluators.gpu.tables import CONSTANTS, NONE, PARAMETERS, ROW

_ROW = tl.constexpr(ROW)
_CONSTANTS, _PARAMETERS, _NONE = tl.constexpr(CONSTANTS), tl.constexpr(PARAMETERS), tl.constexpr(NONE)


@triton.jit
def formulas(
    x_pointer,
    value_pointer,
    slope_pointer,
    partials_pointer,
    parameters_pointer,
    places_pointer,
    rows_pointer,
    code_pointer,
    outputs_pointer,
    constants_pointer,
    elements,
    channels,
    inner,
    SLOPES: tl.constexpr,
    FILE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Values, and with ``SLOPES`` the slopes by x and by parameters, times each slice's factor.

    The grid is (slices, blocks of a slice). x, values, slopes: (slices, elements). partials: (rows, elements).
    Slices without a program are left as they are.
    """
    row = rows_pointer + tl.program_id(0) * _ROW
    length = tl.load(row + 1)
    if length >= 0:
        start = tl.program_id(0).to(tl.int64) * elements
        at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
        inside = at < elements
        given = tl.load(x_pointer + start + at, mask=inside, other=0.0)
        x = given if given.dtype == tl.float64 else given.to(tl.float32)
        numbers = constants_pointer + tl.load(row + 2)
        places = places_pointer + tl.load(row + 3) * 2
        own, channel = tl.load(row + 4), at // inner % channels
        file = (x,) * FILE
        code = code_pointer + tl.load(row)
        for i in range(length):
            word = tl.load(code + i)
            first = (word >> 16).to(tl.int32) & 1023
            u = _fetch(file, first, numbers, parameters_pointer, places, own, channel, FILE)
            v, w = u, u
            second, third = (word >> 26).to(tl.int32) & 1023, (word >> 36).to(tl.int32) & 1023
            if second != _NONE:
                v = _fetch(file, second, numbers, parameters_pointer, places, own, channel, FILE)
            if third != _NONE:
                w = _fetch(file, third, numbers, parameters_pointer, places, own, channel, FILE)
            low = word.to(tl.int32)
            file = _put(file, (low >> 8) & 255, operator(low & 255, u, v, w), FILE)
        factor = tl.load(numbers).to(x.dtype)
        outputs = outputs_pointer + tl.load(row + 5)
        value = _fetch(file, tl.load(outputs), numbers, parameters_pointer, places, own, channel, FILE)
        tl.store(value_pointer + start + at, (value * factor).to(given.dtype), mask=inside)
        if SLOPES:
            slope = _fetch(file, tl.load(outputs + 1), numbers, parameters_pointer, places, own, channel, FILE)
            tl.store(slope_pointer + start + at, (slope * factor).to(given.dtype), mask=inside)
            partials, step = tl.load(row + 6), tl.load(row + 7)
            for k in range(tl.load(outputs + 2)):
                partial = _fetch(
                    file, tl.load(outputs + 3 + k), numbers, parameters_pointer, places, own, channel, FILE
                )
                into = partials_pointer + (partials + k * step).to(tl.int64) * elements
                tl.store(into + at, (partial * factor).to(given.dtype), mask=inside)


@triton.jit
def _fetch(file, operand, numbers, parameters, places, own, channel, FILE: tl.constexpr):
    """A block of the file, a constant, or a parameter: of its slice, one value or one for each channel."""
    found = file[0]
    if operand < _CONSTANTS:
        found = _of_file(file, operand, 0, FILE)
    elif operand < _PARAMETERS:
        found = tl.full(found.shape, tl.load(numbers + 1 + operand - _CONSTANTS).to(found.dtype), found.dtype)
    else:
        place = places + (operand - _PARAMETERS) * 2
        wide = tl.load(place + 1)
        at = tl.load(place) + own * wide + tl.where(wide > 1, channel, 0)
        found = tl.load(parameters + at).to(found.dtype)
    return found


@triton.jit
def _of_file(file, operand, LOW: tl.constexpr, HIGH: tl.constexpr):
    """By halves, so that a block of 16 is found in four branches."""
    found = file[LOW]
    if HIGH - LOW > 1:
        if operand < (LOW + HIGH) // 2:
            found = _of_file(file, operand, LOW, (LOW + HIGH) // 2)
        else:
            found = _of_file(file, operand, (LOW + HIGH) // 2, HIGH)
    return found


@triton.jit
def _put(file, destination, block, FILE: tl.constexpr):
    changed = ()
    for k in tl.static_range(FILE):
        changed = changed + (tl.where(destination == k, block, file[k]),)  # noqa: RUF005  # Triton has no unpacking
    return changed


@triton.jit
def sums(
    gradient_pointer,
    partials_pointer,
    sums_pointer,
    rows_pointer,
    elements,
    channels,
    inner,
    BLOCK: tl.constexpr,
    TILE: tl.constexpr,
):
    """The gradient of each parameter: over all that it was broadcast to, the sum of gradient times slope.

    The grid is (rows of partials, tiles of channels). A row has its slice, where its sums go, and how many it has: 1
    or the channels. The order of a sum depends on the elements of a slice alone.
    """
    row = rows_pointer + tl.program_id(0) * 3
    upstream = gradient_pointer + tl.load(row).to(tl.int64) * elements
    partial = partials_pointer + tl.program_id(0).to(tl.int64) * elements
    into = sums_pointer + tl.load(row + 1)
    if tl.load(row + 2) == 1:
        if tl.program_id(1) == 0:
            _sum_of_all(upstream, partial, into, elements, BLOCK)
    else:
        _sums_of_channels(upstream, partial, into, elements, channels, inner, TILE)


@triton.jit
def _product(upstream, partial, at, inside):
    gradient = tl.load(upstream + at, mask=inside, other=0.0)
    kind: tl.constexpr = tl.float64 if gradient.dtype == tl.float64 else tl.float32
    return gradient.to(kind) * tl.load(partial + at, mask=inside, other=0.0).to(kind)


@triton.jit
def _sum_of_all(upstream, partial, into, elements, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    total = _product(upstream, partial, at, at < elements)
    for first in range(BLOCK, elements, BLOCK):
        total += _product(upstream, partial, first + at, first + at < elements)
    tl.store(into, tl.sum(total).to(into.dtype.element_ty))


@triton.jit
def _sums_of_channels(upstream, partial, into, elements, channels, inner, TILE: tl.constexpr):
    """A tile of channels by as many of their elements at a time: one of the two has neighbours in memory."""
    channel = tl.program_id(1) * TILE + tl.arange(0, TILE)[None, :]
    of_each, at = elements // channels, tl.arange(0, TILE)[:, None]
    total = _of_tile(upstream, partial, at, channel, of_each, channels, inner)
    for first in range(TILE, of_each, TILE):
        total += _of_tile(upstream, partial, first + at, channel, of_each, channels, inner)
    channel = tl.program_id(1) * TILE + tl.arange(0, TILE)
    tl.store(into + channel, tl.sum(total, axis=0).to(into.dtype.element_ty), mask=channel < channels)


@triton.jit
def _of_tile(upstream, partial, at, channel, of_each, channels, inner):
    place = at // inner * (channels * inner) + channel * inner + at % inner
    return _product(upstream, partial, place, (at < of_each) & (channel < channels))
