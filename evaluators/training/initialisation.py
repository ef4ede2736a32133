"""Initial weights: the same normals for all candidates of a seed; the activation carries the scale.

Weights have standard deviation 1/sqrt(fan_in). The candidate is divided by the root of its second moment under a
standard normal, so that c*f trains exactly as f does.
"""

from __future__ import annotations

import torch
from torch import nn

from evaluators.seeds import derive, torch_generator
from evaluators.tasks.base import Task
from primitives.analysis import output_factor
from primitives.expression.application import apply
from primitives.expression.expression import Expression, constant


def normalised(expression: Expression) -> Expression:
    """The expression with its output factor written into it."""
    return apply("mul", constant(output_factor(expression)), expression)


def initial_network(task: Task, seed: int) -> nn.Module:
    """A new network of the task with the weights of a seed.

    Linear, convolution and embedding weights are normal with standard deviation 1/sqrt(n), n the size of a row: the
    fan in, for an embedding its width; biases are zero. Other modules keep what they initialise themselves with,
    from a seed of their own.

    Returns:
        A network on the CPU, float32, so that its weights are the same wherever it is trained.
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(derive(seed, "modules"))
        network = task.network()
    draw_weights(network, torch_generator(seed, "weights"))
    return network


def draw_weights(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of linear, convolution and embedding layers as :func:`initial_network` does, in place."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Embedding):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5, generator=generator)
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d) and module.bias is not None:
            nn.init.zeros_(module.bias)
