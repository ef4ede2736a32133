"""Multilayer perceptrons."""

from __future__ import annotations

from torch import nn

from evaluators.networks.residual import Residual


def mlp(
    inputs: int, width: int, depth: int, outputs: int, *, normalised: bool = False, residual: bool = False
) -> nn.Sequential:
    """A multilayer perceptron with ``depth`` activations of ``width`` units; inputs of shape (batch, inputs).

    Args:
        inputs: size of an example.
        width: units of a hidden layer.
        depth: number of hidden layers.
        outputs: size of an output.
        normalised: LayerNorm before each activation.
        residual: a linear layer, then ``depth`` branches that begin with the activation and end with a linear layer
            (He et al. 2016), divided by sqrt(depth): then variances grow about e-fold, whatever the depth.
    """
    if residual:
        branches = (nn.Sequential(*_activated(width, normalised), nn.Linear(width, width)) for _ in range(depth))
        blocks = (Residual(branch, depth**-0.5) for branch in branches)
        return nn.Sequential(nn.Linear(inputs, width), *blocks, nn.Linear(width, outputs))
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(inputs, width), *_activated(width, normalised)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def skipping_mlp(inputs: int, width: int, depth: int, outputs: int, *, scale: float = 1.0) -> nn.Sequential:
    """A multilayer perceptron whose hidden layers but the first are added to what they get, ``h + relu(W h + b)``.

    With 40 inputs, 2 layers and 10 outputs it is ``MLPBase`` of Greydanus & Kobak 2024.

    Args:
        inputs: size of an example.
        width: units of a hidden layer.
        depth: number of hidden layers, each with one activation.
        outputs: size of an output.
        scale: of what is added. With 1 / sqrt(depth) variances do not grow with the depth, but for the mean of f.
    """
    first = nn.Sequential(nn.Linear(inputs, width), nn.ReLU())
    others = (Residual(nn.Sequential(nn.Linear(width, width), nn.ReLU()), scale) for _ in range(depth - 1))
    return nn.Sequential(first, *others, nn.Linear(width, outputs))


def _activated(width: int, normalised: bool) -> list[nn.Module]:
    return [nn.LayerNorm(width), nn.ReLU()] if normalised else [nn.ReLU()]
