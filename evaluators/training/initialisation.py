"""Initial weights, and the scale of a candidate: as the user's network has them, or the same for all candidates.

Drawn weights have standard deviation 1/sqrt(fan in). A candidate of unit scale is divided by the root of its second
moment under a standard normal, so that c*f trains exactly as f does.
"""

from __future__ import annotations

import torch
from torch import nn

from evaluators.seeds import derive, torch_generator
from evaluators.tasks.base import Task
from evaluators.training.drawing import draw_weights
from primitives.analysis import output_factor
from primitives.expression.application import apply
from primitives.expression.expression import Expression, constant


def normalised(expression: Expression) -> Expression:
    """The expression with its output factor written into it."""
    return apply("mul", constant(output_factor(expression)), expression)


def factor_in(task: Task, expression: Expression) -> float:
    """What a task's network multiplies a candidate by: its output factor, or 1 where the scale is ``"none"``."""
    return output_factor(expression) if task.scale == "unit" else 1.0


def applied_in(task: Task, expression: Expression) -> Expression:
    """The function that a task's network applies: the candidate, normalised or as it is."""
    return normalised(expression) if task.scale == "unit" else expression


def initial_network(task: Task, seed: int) -> nn.Module:
    """A new network of the task with the weights of a seed.

    Where ``task.initial`` is ``"own"``, it is what ``task.network()`` makes under ``torch.manual_seed`` of a seed that
    is derived from the model's, pretrained weights included. Where it is ``"drawn"``, weights are drawn over it, see
    :func:`evaluators.training.drawing.draw_weights`; what is not drawn stays.

    Returns:
        A network on the CPU, float32 unless the task has other types, so that its weights are the same wherever it is
        trained.
    """
    network = made_network(task, seed)
    if task.initial == "drawn":
        draw_weights(network, torch_generator(seed, "weights"))
    return network


def made_network(task: Task, seed: int) -> nn.Module:
    """What ``task.network()`` makes for a seed; torch's global random numbers stay as they were."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(derive(seed, "modules"))
        return task.network()
