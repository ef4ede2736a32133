"""A training loop in plain torch, as a user would write it: it knows nothing of stacks, slots or our optimisers."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.tasks.base import Task, batches, split
from evaluators.training.initialisation import initial_network


class UnitReLU(nn.Module):
    """ReLU as candidates are applied: over the root of its second moment under a standard normal, 1/2."""

    def forward(self, x: Tensor) -> Tensor:
        return math.sqrt(2.0) * F.relu(x)


def with_unit_relu(network: nn.Module) -> nn.Module:
    """The network with each ReLU scaled."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, UnitReLU())
    return network


def trained(task: Task, seed: int, rate: float, steps: int) -> tuple[nn.Module, list[float], float]:
    """The trained network in float32, the loss of each step, and the mean loss on the validation examples."""
    x, y = task.data("search")
    parts = split(len(x), "search", seed)
    network = with_unit_relu(initial_network(task, seed))
    own = [weight for weight in network.parameters() if weight.requires_grad]
    optimiser = torch.optim.SGD(own, rate, momentum=0.9) if task.optimiser == "sgd" else torch.optim.Adam(own, rate)
    losses = []
    for index in batches(parts.train, steps, task.batch_size, seed):
        optimiser.zero_grad()
        loss = F.cross_entropy(network(x[index]).float(), y[index])
        loss.backward()
        if task.clip is not None:
            nn.utils.clip_grad_norm_(own, task.clip)
        optimiser.step()
        losses.append(loss.item())
    network.eval()
    with torch.no_grad():
        return network, losses, F.cross_entropy(network(x[parts.validation]).float(), y[parts.validation]).item()
