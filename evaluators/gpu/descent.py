"""The kernel of optimisers: a step of all tensors of a stack in one launch, each row with a rate of its own."""

from __future__ import annotations

import triton
import triton.language as tl
from triton.language.extra import libdevice

#: A tensor's row of addresses: the tensor, its gradient, and its moments, of which SGD has one.
ADDRESSES = 4
_ADDRESSES = tl.constexpr(ADDRESSES)


@triton.jit
def descent(
    addresses_pointer,
    shapes_pointer,
    tiles_pointer,
    numbers_pointer,
    rates_pointer,
    ADAM: tl.constexpr,
    DECOUPLED: tl.constexpr,
    NESTEROV: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Update tensors and moments in place; what is computed is that of :mod:`evaluators.training.optimiser`.

    The grid is (tiles,). tiles: of each its tensor, and its number within that. shapes: of each tensor the elements,
    those of a row, and where its rates begin. numbers: float64, three of the optimiser, the step's epsilon and factor
    of the rates, and each tensor's decay.
    """
    tile = tiles_pointer + tl.program_id(0) * 2
    tensor = tl.load(tile)
    shape = shapes_pointer + tensor * 3
    at = tl.load(tile + 1).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < tl.load(shape)
    rate = tl.load(rates_pointer + tl.load(shape + 2) + at // tl.load(shape + 1), mask=inside, other=0.0)
    addresses = addresses_pointer + tensor * _ADDRESSES
    to = tl.load(addresses).to(tl.pointer_type(rate.dtype)) + at
    gradient = tl.load(tl.load(addresses + 1).to(tl.pointer_type(rate.dtype)) + at, mask=inside, other=0.0)
    first_to = tl.load(addresses + 2).to(tl.pointer_type(rate.dtype)) + at
    value, first = tl.load(to, mask=inside, other=0.0), tl.load(first_to, mask=inside, other=0.0)
    step = rate * tl.load(numbers_pointer + 4).to(rate.dtype)
    decay = tl.load(numbers_pointer + 5 + tensor).to(rate.dtype)
    if DECOUPLED:
        value = value * (1.0 - rate * decay)
    elif decay != 0.0:
        gradient += value * decay
    if ADAM:
        second_to = tl.load(addresses + 3).to(tl.pointer_type(rate.dtype)) + at
        second = tl.load(second_to, mask=inside, other=0.0)
        first += tl.load(numbers_pointer).to(rate.dtype) * (gradient - first)
        fresh = tl.load(numbers_pointer + 2).to(rate.dtype)
        second = second * tl.load(numbers_pointer + 1).to(rate.dtype) + fresh * gradient * gradient
        tl.store(second_to, second, mask=inside)
        epsilon = tl.load(numbers_pointer + 3).to(rate.dtype)
        update = libdevice.div_rn(first, libdevice.sqrt_rn(second) + epsilon)
    else:
        momentum = tl.load(numbers_pointer).to(rate.dtype)
        first = first * momentum + gradient
        update = gradient + momentum * first if NESTEROV else first
    tl.store(first_to, first, mask=inside)
    tl.store(to, value + update * step, mask=inside)
