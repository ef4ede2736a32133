"""Nodes of random graphs, to be told apart by noisy features and by who their neighbours are."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from evaluators.networks import GraphNetwork
from evaluators.seeds import derive, torch_generator
from evaluators.tasks.base import BLOCK, Part, Task
from evaluators.tasks.readings import accuracy
from evaluators.tasks.shipped.sized import SizedTask

GRAPHS = 64  # of a part
BLOCKS, NODES = 4, 200
WITHIN, BETWEEN = 0.1, 0.01  # probability of an edge within a block, and between two
FEATURES, NOISE = 8, 1.0  # the mean of a block has length 1


class BlockModel(SizedTask):
    """Graphs of the stochastic block model, 200 nodes in four blocks, with a graph convolutional network.

    An example is a graph. A node has the mean of its block and normal noise as features, and is to be told its block.
    The network is judged on graphs that it never saw. Beside gains stands the Dirichlet energy of the last hidden
    layer: the nearer to 0, the more alike the nodes have become, which is over-smoothing.
    """

    title, usual = "gcn-sbm", (4, 16)
    chance = math.log(BLOCKS)
    batch_size = BLOCK
    learning_rates = (3e-3, 1e-2, 3e-2)
    steps = 60

    def network(self) -> nn.Module:
        return GraphNetwork(FEATURES, self.width, self.depth, BLOCKS)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _graphs(part)

    def loss(self, output: Any, target: Tensor) -> Tensor:
        return Task.loss(self, output[0], target)

    def readings(self, output: Any, target: Tensor) -> dict[str, Tensor]:
        return {"accuracy": accuracy(output[0], target), "Dirichlet energy": output[1]}


@cache
def _graphs(part: Part) -> tuple[Tensor, Tensor]:
    """Rows of nodes, features and normalised adjacency, shape (graphs, nodes, 208), and the nodes' blocks."""
    generator = torch_generator(0, "blocks", part)
    means = torch.randn(BLOCKS, FEATURES, generator=torch_generator(0, "blocks"), device="cpu")
    means = means / means.norm(dim=1, keepdim=True)
    blocks = torch.arange(NODES, device="cpu") * BLOCKS // NODES
    noise = torch.randn(GRAPHS, NODES, FEATURES, generator=generator, device="cpu")
    adjacency = torch.stack([_adjacency(derive(0, "blocks", part, number)) for number in range(GRAPHS)])
    return torch.cat([means[blocks] + NOISE * noise, adjacency], dim=2), blocks.repeat(GRAPHS, 1)


def _adjacency(seed: int) -> Tensor:
    """With loops, divided by the roots of both degrees."""
    import networkx as nx  # imported where it is used: commands that need no task need no networkx

    chances = [[WITHIN if one == other else BETWEEN for other in range(BLOCKS)] for one in range(BLOCKS)]
    graph = nx.stochastic_block_model([NODES // BLOCKS] * BLOCKS, chances, seed=seed)
    with_loops = torch.from_numpy(nx.to_numpy_array(graph)).float() + torch.eye(NODES, device="cpu")
    root = with_loops.sum(dim=1).rsqrt()
    return root[:, None] * with_loops * root
