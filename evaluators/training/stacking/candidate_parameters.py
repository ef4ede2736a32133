"""The candidates' parameters: one flat tensor for all, of which each site of each candidate has a view.

One tensor instead of many small ones: the optimiser's calls cost more than its arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evaluators.training.stacking.activation_slot import ActivationSlot, Layout, Share


@dataclass(frozen=True, slots=True)
class Block:
    """One parameter of one candidate at one site.

    Args:
        activation: the slot of the site.
        share: the candidate.
        initial: the parameter's initial value.
        shape: (slices,), or (slices, channels) for one per channel.
        start: its first element in the flat tensor.
    """

    activation: ActivationSlot
    share: Share
    initial: float
    shape: tuple[int, ...]
    start: int

    @property
    def elements(self) -> Tensor:
        """Indices of its elements in the flat tensor, one row a slice, on the CPU."""
        stop = self.start + math.prod(self.shape)
        return torch.arange(self.start, stop, device="cpu").view(self.share.slices, -1)

    @property
    def owners(self) -> slice:
        """The slices of the stack that it belongs to."""
        return slice(self.share.start, self.share.stop)


def blocks(activations: Sequence[ActivationSlot], layout: Layout) -> list[Block]:
    """The blocks of a stack, in the order of the flat tensor: site by site, candidate by candidate."""
    made: list[Block] = []
    start = 0
    for activation in activations:
        for share in layout.shares:
            for p in share.expression.parameters:
                shape = (share.slices, activation.channels) if p.per_channel else (share.slices,)
                made.append(Block(activation, share, p.initial, shape, start))
                start += math.prod(shape)
    return made


def initial(blocks: Sequence[Block]) -> Tensor:
    """The flat tensor at the initial values, float64, on the CPU."""
    return joined([torch.full_like(block.elements, block.initial, dtype=torch.float64) for block in blocks]).double()


def slices(blocks: Sequence[Block]) -> Tensor:
    """The slice of the stack that each element belongs to, on the CPU."""
    rows = [torch.arange(block.share.start, block.share.stop, device="cpu") for block in blocks]
    return joined([row[:, None].expand_as(block.elements) for row, block in zip(rows, blocks, strict=True)])


def picked(blocks: Sequence[Block], places: Mapping[Share, Tensor]) -> Tensor:
    """Indices in the flat tensor of what belongs to some slices, on the CPU.

    Args:
        blocks: of the stack.
        places: for each candidate that keeps some, which of its slices, counted from its first one.
    """
    return joined([block.elements[places[block.share]] for block in blocks if block.share in places])


def hand_out(blocks: Sequence[Block], flat: Tensor) -> list[Tensor]:
    """Give every site its parameters, leaves that share the memory of ``flat``; return them, block by block."""
    leaves = []
    for block in blocks:
        part = flat[block.start : block.start + math.prod(block.shape)]
        leaves.append(part.view(block.shape).detach().requires_grad_())
        block.activation.values.append(leaves[-1])
    return leaves


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Tensors of one type, flat, one after the other; without any, no indices."""
    return torch.cat([part.flatten() for part in parts]) if parts else torch.empty(0, dtype=torch.int64, device="cpu")
