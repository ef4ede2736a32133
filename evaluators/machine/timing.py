"""Measured time: forward and backward of expressions as layers, on this machine, relative to ReLU."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import torch
from torch import Tensor

from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.layers.activation import Activation

SHAPE = (4096, 64)  # float32, 1 MB: arithmetic, not calls, takes the time
REPETITIONS = 15


def time_ratios(expressions: Sequence[Expression], repetitions: int = REPETITIONS) -> list[float]:
    """Forward and backward time of each expression as a layer, in times of ReLU; eager, float32, one thread.

    In every repetition each layer is timed once and ReLU just before it, so that slow moments of the machine hit
    both; the median of the ratios counts. Another machine gives other numbers.
    """
    layers = [Activation(expression, channels=SHAPE[1], device="cpu") for expression in expressions]
    relu = Activation(parse("relu(x)"))
    generator = torch.Generator("cpu").manual_seed(0)
    x, gradient = (torch.randn(SHAPE, generator=generator, device="cpu") for _ in range(2))
    x.requires_grad_()
    with one_thread(), torch.enable_grad():
        for layer in (relu, *layers):  # the first call compiles the formula
            _seconds(layer, x, gradient)
        rounds = [
            [_seconds(layer, x, gradient) / reference for layer in layers if (reference := _seconds(relu, x, gradient))]
            for _ in range(repetitions)
        ]
    return [median(column) for column in zip(*rounds, strict=True)]


def _seconds(layer: Activation, x: Tensor, gradient: Tensor) -> float:
    wanted = [x, *layer.parameters()]
    started = time.perf_counter()
    torch.autograd.grad(layer(x), wanted, gradient)
    return time.perf_counter() - started


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch computes on one thread, as workers do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
