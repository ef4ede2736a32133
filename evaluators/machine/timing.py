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
from primitives.layers.expression_layer import ExpressionLayer
from primitives.layers.norm_activation import layer_of

SHAPE = (64, 64, 8, 8)  # float32, 1 MB: arithmetic, not calls, takes the time; examples, channels, positions
REPETITIONS = 15


def time_ratios(expressions: Sequence[Expression], repetitions: int = REPETITIONS) -> list[float]:
    """Forward and backward time of each expression as a layer, in times of ReLU; eager, float32, one thread.

    In every repetition each layer is timed once and ReLU just before it, so that slow moments of the machine hit
    both; the median of the ratios counts. Of ``layers(...)`` it is the mean of its functions, each of which has as many
    places. Another machine gives other numbers.
    """
    parts = dict.fromkeys(part for expression in expressions for part in expression.parts)
    layers = {part: layer_of(part, channels=SHAPE[1], channel_dim=1, device="cpu") for part in parts}
    ratios = dict(zip(layers, _ratios([*layers.values()], repetitions), strict=True))
    return [sum(ratios[part] for part in each.parts) / len(each.parts) for each in expressions]


def _ratios(layers: Sequence[ExpressionLayer], repetitions: int) -> list[float]:
    relu = Activation(parse("relu(x)"))
    generator = torch.Generator("cpu").manual_seed(0)
    x, gradient, z = (torch.randn(SHAPE, generator=generator, device="cpu") for _ in range(3))
    inputs = x.requires_grad_(), z.requires_grad_()
    with one_thread(), torch.enable_grad():
        for layer in (relu, *layers):  # the first call compiles the formula
            _seconds(layer, inputs, gradient)
        rounds = [
            [
                _seconds(layer, inputs, gradient) / reference
                for layer in layers
                if (reference := _seconds(relu, inputs, gradient))
            ]
            for _ in range(repetitions)
        ]
    return [median(column) for column in zip(*rounds, strict=True)]


def _seconds(layer: ExpressionLayer, inputs: tuple[Tensor, Tensor], gradient: Tensor) -> float:
    given = inputs if "z" in layer.expression.inputs else inputs[:1]
    wanted = [*given, *layer.parameters()]
    started = time.perf_counter()
    torch.autograd.grad(layer(*given), wanted, gradient, materialize_grads=True)
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
