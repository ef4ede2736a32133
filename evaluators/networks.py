"""Networks of the shipped tasks: ordinary modules with ``nn.ReLU`` where the candidate goes."""

from __future__ import annotations

from torch import nn


def mlp(inputs: int, width: int, depth: int, outputs: int) -> nn.Sequential:
    """A plain multilayer perceptron: ``depth`` hidden layers of ``width`` units, no normalisation."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))
