"""Graph convolutional networks."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class GraphNetwork(nn.Module):
    """Layers relu(A X W + b) and a linear layer for each node (Kipf and Welling 2017, arXiv:1609.02907).

    Takes inputs of shape (batch, nodes, features + nodes): the row of a node is its features, then its row of A, the
    adjacency with loops, divided by the roots of both degrees.

    Returns logits, shape (batch, nodes, outputs), and the Dirichlet energy of the last hidden layer, shape (batch,):
    tr(X' (1 - A) X) / tr(X' X), from 0 to 2. It is 0 where nodes differ by their degrees alone.

    Args:
        features: of a node.
        width: units of a layer.
        depth: number of layers, each with one activation.
        outputs: logits of a node.
    """

    def __init__(self, features: int, width: int, depth: int, outputs: int) -> None:
        super().__init__()
        self.features = features
        sizes = [features, *[width] * depth]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.activations = nn.ModuleList(nn.ReLU() for _ in range(depth))
        self.head = nn.Linear(width, outputs)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        x, adjacency = rows[..., : self.features], rows[..., self.features :]
        for layer, activation in zip(self.layers, self.activations, strict=True):
            x = activation(adjacency @ layer(x))
        return self.head(x), dirichlet_energy(x.detach(), adjacency)


def dirichlet_energy(x: Tensor, adjacency: Tensor) -> Tensor:
    """tr(X' (1 - A) X) / tr(X' X) of nodes' features, shape (..., nodes, features); 0 where all features are 0."""
    size = x.square().sum(dim=(-2, -1))
    rough = size - (x * (adjacency @ x)).sum(dim=(-2, -1))
    return rough / size.clamp_min(torch.finfo(x.dtype).tiny)
