"""The candidates' parameters: one flat tensor for all, of which each site of each candidate has a view.

One tensor instead of many small ones: the optimiser's calls cost more than its arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evaluators.training.stacking.activation_slot import ActivationSlot
from primitives.expression.parameters import Parameter

#: The slot, or None for what all slots share, the candidate's number in the stack, the parameter's name.
Key = tuple[ActivationSlot | None, int, str]


@dataclass(frozen=True, slots=True)
class Block:
    """One parameter of one candidate at one site, or at all sites for one per network.

    Args:
        key: whose it is.
        owners: the slices of the stack that it belongs to.
        initial: the parameter's initial value.
        shape: (slices,), or (slices, channels) for one per channel.
        start: its first element in the flat tensor.
    """

    key: Key
    owners: slice
    initial: float
    shape: tuple[int, ...]
    start: int

    @property
    def member(self) -> int:
        """The candidate's number in the stack."""
        return self.key[1]

    @property
    def elements(self) -> Tensor:
        """Indices of its elements in the flat tensor, one row a slice, on the CPU."""
        stop = self.start + math.prod(self.shape)
        return torch.arange(self.start, stop, device="cpu").view(self.shape[0], -1)


def blocks(activations: Sequence[ActivationSlot]) -> list[Block]:
    """The blocks of a stack, in the order of the flat tensor: site by site, candidate by candidate."""
    made: dict[Key, Block] = {}
    start = 0
    for activation in activations:
        for member, share in enumerate(activation.layout.shares):
            for p in share.expression.parameters:
                key = key_of(activation, member, p)
                if key in made:
                    continue
                shape = (share.slices, activation.channels) if p.per == "channel" else (share.slices,)
                made[key] = Block(key, slice(share.start, share.stop), p.initial, shape, start)
                start += math.prod(shape)
    return list(made.values())


def key_of(activation: ActivationSlot, member: int, p: Parameter) -> Key:
    """Whose a parameter of a candidate is, at one slot."""
    return None if p.per == "network" else activation, member, p.name


def initial(blocks: Sequence[Block]) -> Tensor:
    """The flat tensor at the initial values, float64, on the CPU."""
    return joined([torch.full_like(block.elements, block.initial, dtype=torch.float64) for block in blocks]).double()


def slices(blocks: Sequence[Block]) -> Tensor:
    """The slice of the stack that each element belongs to, on the CPU."""
    rows = [torch.arange(block.owners.start, block.owners.stop, device="cpu") for block in blocks]
    return joined([row[:, None].expand_as(block.elements) for row, block in zip(rows, blocks, strict=True)])


def picked(blocks: Sequence[Block], places: Mapping[int, Tensor]) -> Tensor:
    """Indices in the flat tensor of what belongs to some slices, on the CPU.

    Args:
        blocks: of the stack.
        places: by the number of each candidate that keeps some, which of its slices, counted from its first one.
    """
    return joined([block.elements[places[block.member]] for block in blocks if block.member in places])


def hand_out(activations: Sequence[ActivationSlot], blocks: Sequence[Block], flat: Tensor) -> list[Tensor]:
    """Give every site its parameters, leaves that share the memory of ``flat``; return them, block by block."""
    leaves: dict[Key, Tensor] = {}
    for block in blocks:
        part = flat[block.start : block.start + math.prod(block.shape)]
        leaves[block.key] = part.view(block.shape).detach().requires_grad_()
    for activation in activations:
        of_shares = enumerate(activation.layout.shares)
        keys = [key_of(activation, member, p) for member, share in of_shares for p in share.expression.parameters]
        activation.values = [leaves[key] for key in keys]
    return list(leaves.values())


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Tensors of one type, flat, one after the other; without any, no indices."""
    return torch.cat([part.flatten() for part in parts]) if parts else torch.empty(0, dtype=torch.int64, device="cpu")
