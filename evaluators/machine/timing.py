"""Measured time: forward and backward of expressions as layers, on this machine, relative to ReLU."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from statistics import fmean, median

import torch
from torch import Tensor

from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.layers.activation import Activation
from primitives.layers.expression_layer import ExpressionLayer
from primitives.layers.norm_activation import layer_of

SHAPE = (4096, 64)  # float32, 1 MB: arithmetic, not calls, takes the time
REPETITIONS = 15


def time_ratios(expressions: Sequence[Expression], repetitions: int = REPETITIONS) -> list[float]:
    """Forward and backward time of each expression as a layer, in times of ReLU; eager, float32, one thread.

    In every repetition each layer is timed once and ReLU just before it, so that slow moments of the machine hit
    both; the median of the ratios counts. Another machine gives other numbers. A gate has a second input; a layer with
    statistics takes those of its batch, as in training; of ``layers(...)`` it is the mean over the functions.
    """
    layers = [[_layer(part) for part in expression.parts] for expression in expressions]
    relu = Activation(parse("relu(x)"))
    generator = torch.Generator("cpu").manual_seed(0)
    x, z, gradient = (torch.randn(SHAPE, generator=generator, device="cpu") for _ in range(3))
    inputs = (x.requires_grad_(), z.requires_grad_())
    with one_thread(), torch.enable_grad():
        for layer in (relu, *chain.from_iterable(layers)):  # the first call compiles the formula
            _seconds(layer, inputs, gradient)
        rounds = [
            [fmean(_seconds(part, inputs, gradient) / _seconds(relu, inputs, gradient) for part in of) for of in layers]
            for _ in range(repetitions)
        ]
    return [median(column) for column in zip(*rounds, strict=True)]


def _layer(expression: Expression) -> ExpressionLayer:
    return layer_of(expression, SHAPE[1], channel_dim=-1, device="cpu")


def _seconds(layer: ExpressionLayer, inputs: tuple[Tensor, Tensor], gradient: Tensor) -> float:
    given = inputs if "z" in layer.expression.inputs else inputs[:1]
    wanted = [*given, *layer.parameters()]
    started = time.perf_counter()
    torch.autograd.grad(layer(*given), wanted, gradient, allow_unused=True)
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
