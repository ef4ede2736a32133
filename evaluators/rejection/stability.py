"""Stability: can the weights of a small network be moved so that its gradients explode?

The stability test of EvoNorm (Liu et al. 2020, arXiv:2004.02967): gradient ascent on the norm of the loss's gradient by
the weights; a candidate is rejected if the norm passes 1e8 within 100 steps. Its step is ours: 2 % of the initial
weights' norm. Then torch's hidden-layer activations stay below 1e6, and what grows faster than x, such as x**2 or
exp(x), fails. A layer with statistics stands in a convolutional network, whose convolutions' weights are moved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from evaluators.networks import cnn, mlp
from evaluators.seeds import torch_generator
from evaluators.training.drawing import draw_weights
from evaluators.training.initialisation import normalised
from primitives.equivalence.kinds import plainest
from primitives.expression.application import apply
from primitives.expression.expression import Expression, at_place, constant
from primitives.layers.norm_activation import layer_of
from primitives.layers.replacing import replace
from primitives.lowering.substitutes import Formulas, substituted

LIMIT = 1e8
STEPS, STEP = 100, 0.02  # a step in norms of the initial weights
_EXAMPLES, _INPUTS, _WIDTH, _DEPTH, _CLASSES = 64, 16, 32, 4, 10
_IMAGES, _SIDE, _FILTERS, _CONVOLUTIONS = 16, 8, 8, 3


def _hard_sigmoid(a: Expression) -> Expression:
    """min(max(a + 3, 0), 6) / 6."""
    cut = apply("max", apply("add", a, constant(3.0)), constant(0.0))
    return apply("div", apply("min", cut, constant(6.0)), constant(6.0))


#: What torch differentiates once only, by what it differentiates again.
_TWICE: Formulas = {"hard_sigmoid": _hard_sigmoid}


def is_unstable(expression: Expression, seed: int = 0) -> bool:
    """True if the gradient's norm passes 1e8, or is no number, on the way of :func:`largest_gradient`."""
    return not largest_gradient(expression, seed) <= LIMIT


def largest_gradient(expression: Expression, seed: int = 0) -> float:
    """The largest norm of the gradient that ascent on it finds; infinite where it is not finite.

    Args:
        expression: the candidate, of any kind, float32. A function or a gate stands in a perceptron of four layers of
            32 without normalisation; what has statistics, in three convolutions of 8, 16 and 32 channels on 8x8
            pixels. A gate's second input are the channels half of all further.
        seed: of the weights, the 64 normal inputs, or 16 images, and their random classes.
    """
    make = _convolutional if plainest(expression).has_statistics else _perceptron
    problem = make(expression, seed)
    network, x, y, weights = problem.network, problem.x, problem.y, problem.weights
    step, highest = STEP * _norm(weights), 0.0
    for _ in range(STEPS):
        loss = nn.functional.cross_entropy(network(x), y)
        slopes = torch.autograd.grad(loss, weights, create_graph=True)
        norm = torch.stack([slope.square().sum() for slope in slopes]).sum().sqrt()
        highest = max(highest, float(norm.detach().nan_to_num(math.inf, math.inf)))
        if highest > LIMIT or norm == 0:
            break
        if not _climb(weights, torch.autograd.grad(norm, weights, materialize_grads=True), step):
            break
    return highest


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """A network with the candidate in it, inputs, classes, and the weights that are moved."""

    network: nn.Module
    x: Tensor
    y: Tensor
    weights: Sequence[Tensor]


def _perceptron(expression: Expression, seed: int) -> _Problem:
    generator = torch_generator(seed, "stability")
    with torch.device("cpu"), torch.random.fork_rng(devices=[]):  # the layers' own first weights are overwritten
        network = mlp(_INPUTS, _WIDTH, _DEPTH, _CLASSES)
        _fill(network, expression, [_WIDTH] * _DEPTH, generator)
        x = torch.randn(_EXAMPLES, _INPUTS, generator=generator)
        y = torch.randint(_CLASSES, (_EXAMPLES,), generator=generator)
    return _Problem(network, x, y, list(network.parameters()))


def _convolutional(expression: Expression, seed: int) -> _Problem:
    generator = torch_generator(seed, "stability")
    with torch.device("cpu"), torch.random.fork_rng(devices=[]):
        network = cnn(1, _FILTERS, _CONVOLUTIONS, _CLASSES)
        _fill(network, expression, [_FILTERS * 2**level for level in range(_CONVOLUTIONS)], generator)
        x = torch.randn(_IMAGES, 1, _SIDE, _SIDE, generator=generator)
        y = torch.randint(_CLASSES, (_IMAGES,), generator=generator)
    weights = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
    return _Problem(network, x, y, weights)


def _fill(network: nn.Module, expression: Expression, channels: Sequence[int], generator: torch.Generator) -> None:
    """Draw the weights as in training, and put the candidate into every place, which has so many channels."""
    draw_weights(network, generator)
    parts = (at_place(expression, number, len(channels)) for number in range(len(channels)))
    functions = [normalised(substituted(part, _TWICE)) for part in parts]
    replace(network, nn.ReLU, partial(next, map(_Layer, functions, channels)))


class _Layer(nn.Module):
    """A function in its place; a gate's second input are the channels half the width away."""

    def __init__(self, function: Expression, channels: int) -> None:
        super().__init__()
        self.layer = layer_of(function, channels=channels, channel_dim=1)

    def forward(self, x: Tensor) -> Tensor:
        inputs = (x, x.roll(x.shape[1] // 2, 1)) if "z" in self.layer.expression.inputs else (x,)
        output: Tensor = self.layer(*inputs)
        return output


@torch.no_grad()
def _climb(weights: Sequence[Tensor], uphill: Sequence[Tensor], length: float) -> bool:
    """Move weights by a length along a direction, in place; False where there is none."""
    size = _norm(uphill)
    if size == 0:
        return False
    for weight, direction in zip(weights, uphill, strict=True):
        # in float64: where the slopes are tiny, length / size is beyond float32, the product is not
        weight.add_(direction.double().mul(length / size).to(weight.dtype))
    return True


def _norm(tensors: Sequence[Tensor]) -> float:
    return math.sqrt(sum(float(tensor.detach().double().square().sum()) for tensor in tensors))
