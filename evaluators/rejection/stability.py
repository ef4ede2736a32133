"""Stability: can the weights of a small network be moved so that its gradients explode?

The stability test of EvoNorm (Liu et al. 2020, arXiv:2004.02967): gradient ascent on the norm of the loss's gradient by
the weights; a candidate is rejected if the norm passes 1e8 within 100 steps. Its step is ours: 2 % of the initial
weights' norm. Then torch's hidden-layer activations stay below 1e6, and what grows faster than x, such as x**2 or
exp(x), fails.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from evaluators.networks import mlp
from evaluators.seeds import torch_generator
from evaluators.training.drawing import draw_weights
from evaluators.training.initialisation import normalised
from primitives.expression.expression import Expression, at_place
from primitives.layers.norm_activation import layer_of
from primitives.layers.replacing import replace

LIMIT = 1e8
STEPS, STEP = 100, 0.02  # a step in norms of the initial weights
_EXAMPLES, _INPUTS, _WIDTH, _DEPTH, _CLASSES = 64, 16, 32, 4, 10


def is_unstable(expression: Expression, seed: int = 0) -> bool:
    """True if the gradient's norm passes 1e8, or is no number, on the way of :func:`largest_gradient`."""
    return not largest_gradient(expression, seed) <= LIMIT


def largest_gradient(expression: Expression, seed: int = 0) -> float:
    """The largest norm of the gradient that ascent on it finds; infinite where it is not finite.

    Args:
        expression: the candidate, of any kind, in a perceptron of four layers of 32 without normalisation, float32. A
            gate's second input are the channels 16 further.
        seed: of the weights, the 64 normal inputs and their random classes.
    """
    network, x, y = _problem(expression, seed)
    weights = list(network.parameters())
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


def _problem(expression: Expression, seed: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A network with weights as in training, inputs and targets."""
    generator = torch_generator(seed, "stability")
    functions = [normalised(at_place(expression, number, _DEPTH)) for number in range(_DEPTH)]
    with torch.device("cpu"), torch.random.fork_rng(devices=[]):  # the layers' own first weights are overwritten
        network = mlp(_INPUTS, _WIDTH, _DEPTH, _CLASSES)
        draw_weights(network, generator)
        replace(network, nn.ReLU, partial(next, map(_Layer, functions)))
        x = torch.randn(_EXAMPLES, _INPUTS, generator=generator)
        return network, x, torch.randint(_CLASSES, (_EXAMPLES,), generator=generator)


class _Layer(nn.Module):
    """A function in its place; a gate's second input are the channels half the width away."""

    def __init__(self, function: Expression) -> None:
        super().__init__()
        self.layer = layer_of(function, channels=_WIDTH, channel_dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        inputs = (x, x.roll(_WIDTH // 2, -1)) if "z" in self.layer.expression.inputs else (x,)
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
