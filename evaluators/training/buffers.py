"""Buffers that a network draws: each model of a stack has its seed's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from evaluators.seeds import derive
from evaluators.tasks.base import Task
from evaluators.training.initialisation import initial_network


def drawn_buffers(task: Task, networks: Sequence[nn.Module]) -> Mapping[str, list[Tensor]]:
    """By name, one tensor a network, of the buffers that differ between seeds; all others are one for all.

    They are told by a network of a seed that no model has: who else is in the stack must not decide.
    """
    tables = [dict(network.named_buffers()) for network in networks]
    if not tables[0]:
        return {}
    other = dict(initial_network(task, derive(0, "buffers")).named_buffers())
    drawn = [name for name, value in other.items() if not all(torch.equal(table[name], value) for table in tables)]
    return {name: [table[name] for table in tables] for name in drawn}
