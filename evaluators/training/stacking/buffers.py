"""Buffers that are not one for all models of a stack: those that a network draws, and those that a call changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from evaluators.machine.backend import CPU
from evaluators.seeds import derive
from evaluators.tasks.base import BLOCK, Task
from evaluators.tasks.examples import Examples
from evaluators.training.calling import call
from evaluators.training.initialisation import initial_network
from evaluators.training.randomness import own_random_numbers

#: A seed that no model has.
OTHER = derive(0, "buffers")


def own_buffers(task: Task, networks: Sequence[nn.Module], examples: Examples) -> Mapping[str, list[Tensor]]:
    """By name, one tensor a network, of the buffers that each model has for itself; all others are one for all.

    They are told by a network of a seed that no model has: who else is in the stack must not decide.

    Args:
        task: of the networks.
        networks: one a seed.
        examples: for a call in train mode.
    """
    tables = [dict(network.named_buffers()) for network in networks]
    if not tables[0]:
        return {}
    other = initial_network(task, OTHER)
    at_first = {name: buffer.clone() for name, buffer in other.named_buffers()}
    drawn = {name for name, value in at_first.items() if not all(torch.equal(table[name], value) for table in tables)}
    changed = _changed(other, at_first, examples)
    return {name: [table[name] for table in tables] for name in tables[0] if name in drawn | changed}


@torch.no_grad()
def _changed(network: nn.Module, at_first: Mapping[str, Tensor], examples: Examples) -> set[str]:
    """The buffers that a call in train mode changes, such as BatchNorm's running statistics."""
    few = examples.rows(slice(BLOCK)).mapped(lambda tensor: CPU.place(tensor).clone())
    network.train()
    with own_random_numbers():
        call(network, few.inputs)
    return {name for name, buffer in network.named_buffers() if not torch.equal(buffer, at_first[name])}
