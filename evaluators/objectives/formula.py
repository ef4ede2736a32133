"""Objectives that are properties of the formula alone."""

from __future__ import annotations

import torch
from torch import Tensor

from primitives.activation import Activation
from primitives.analysis import analyse, output_factor
from primitives.canonical import canonical
from primitives.expressions import Expression

UNBOUNDED = 1e6  # stands for a slope without a bound: Optuna's hypervolumes cannot use infinity
_EXAMPLES, _CHANNELS = 256, 64


def complexity(expression: Expression) -> float:
    """Number of nodes of the canonical form written as a tree: operators, inputs, constants, parameters."""
    return float(canonical(expression).size)


def lipschitz(expression: Expression) -> float:
    """sup |f'| on the whole line, at most 1e6, which also stands for no bound and for jumps."""
    shape = analyse(expression).shape
    return UNBOUNDED if shape is None or shape.lipschitz is None else min(shape.lipschitz, UNBOUNDED)


def network_lipschitz(expression: Expression) -> float:
    """:func:`lipschitz` of the function that a network applies, f / sqrt(E f(z)^2): c*f has the same as f."""
    return min(lipschitz(expression) * output_factor(expression), UNBOUNDED)


def saved_bytes(expression: Expression) -> float:
    """Bytes that the fused layer keeps for its backward pass, per element of a float32 input of 256 x 64.

    The input or the output takes 4; each parameter 4 / 16,384, one per channel 64 times as much.
    """
    layer = Activation(expression, channels=_CHANNELS, device="cpu")
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        saved[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    x = torch.linspace(-3.0, 3.0, _EXAMPLES * _CHANNELS, device="cpu").view(_EXAMPLES, _CHANNELS).requires_grad_()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(x)
    return sum(saved.values()) / x.numel()
