"""Networks whose edges have the activations, and whose nodes are sums (Kolmogorov-Arnold networks, Liu et al. 2024)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class EdgeLayer(nn.Module):
    """Outputs y_o = sum_i w_oi f_oi(x_i) + b_o for inputs of shape (batch, inputs).

    The activation gets each input once for each output, shape (batch, outputs * inputs): its channels are the edges, so
    that a parameter per channel is one of each edge. The weights w, one for each edge too, are those of a linear layer.

    Args:
        inputs: size of an example.
        outputs: size of an output.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.edges = nn.ReLU()
        self.nodes = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """The sums, shape (batch, outputs)."""
        weight = self.nodes.weight
        edges: Tensor = self.edges(x.repeat(1, len(weight))).view(-1, *weight.shape)
        return (edges * weight).sum(dim=-1) + self.nodes.bias


def kan(inputs: int, width: int, depth: int, outputs: int) -> nn.Sequential:
    """``depth`` layers of edges with ``width`` nodes between them; inputs of shape (batch, inputs).

    Args:
        inputs: size of an example.
        width: nodes of a hidden layer.
        depth: number of layers of edges, each with one activation; of 1 there are no hidden nodes.
        outputs: size of an output.
    """
    sizes = [inputs, *[width] * (depth - 1), outputs]
    return nn.Sequential(*(EdgeLayer(a, b) for a, b in pairwise(sizes)))
