"""A stack: many copies of one network, trained in lockstep as one batched computation.

Slices are ordered by member, then seed, then learning rate. Everything that belongs to a slice (weights, optimiser
state, data order) can be dropped with it, and no bit of the others changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from evaluators.errors import EvaluationError
from evaluators.initialisation import initial_network, output_factor
from evaluators.member import Member, Schedule
from evaluators.optimiser import StackedAdam
from evaluators.slot import Layout, Share, Slot
from evaluators.task import Split, Task, batches, split
from primitives.activation import replace
from primitives.expressions import variable

EVALUATION_BATCH = 256


class Stack:
    """Members x seeds x learning rates as one model.

    Args:
        task: data, network and loss.
        part: the part of the data, ``"search"`` or ``"confirmation"``.
        members: what to train.
        schedule: learning rates and the number of steps that the data order is made for.
        dtype: of weights and data.
    """

    def __init__(
        self,
        task: Task,
        part: str,
        members: Sequence[Member],
        schedule: Schedule,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.task, self.members, self.rates = task, list(members), schedule.rates
        x, self.y = task.data(part)
        self.x = x.to(dtype) if x.is_floating_point() else x
        seeds = sorted({seed for member in members for seed in member.seeds})
        owners = [(seeds.index(seed), rate) for m in members for seed in m.seeds for rate in schedule.rates]
        self.seed = torch.tensor([index for index, _ in owners])
        splits = [split(len(self.x), part, seed) for seed in seeds]
        self.splits = Split(*(torch.stack([getattr(s, f) for s in splits]) for f in ("train", "validation", "test")))
        self.orders = torch.stack(
            [batches(s.train, schedule.steps, task.batch_size, seed) for s, seed in zip(splits, seeds, strict=True)]
        )
        networks = [initial_network(task, seed).to(dtype) for seed in seeds]
        self.network, self.slots = _with_slots(networks[0], task, self.x[: self.orders.shape[2]])
        self.state = {
            name: torch.stack([dict(n.named_parameters())[name] for n in networks])[self.seed].detach()
            for name, _ in self.network.named_parameters()
        }
        self.layout = _layout(self.members, len(self.rates))
        self.own = torch.cat([initial for _, initial in self._own_parameters()] or [torch.empty(0)]).to(dtype)
        self._hand_out()
        rates = torch.tensor([rate for _, rate in owners], dtype=dtype)
        own_rates = [rates[share.start : share.stop].repeat_interleave(len(initial) // share.slices)
                     for share, initial in self._own_parameters()]  # fmt: skip
        self.adam = StackedAdam(self.tensors, [rates] * len(self.state) + [torch.cat(own_rates or [torch.empty(0)])])
        self.step = 0

    def _own_parameters(self) -> list[tuple[Share, Tensor]]:
        """The candidates' parameters, slot by slot: the share and its initial values by slice and channel."""
        found = []
        for slot in self.slots:
            for share in self.layout.shares:
                for p in share.expression.parameters:
                    size = share.slices * (slot.channels if p.per_channel else 1)
                    found.append((share, torch.full((size,), p.initial, dtype=torch.float64)))
        return found

    def _hand_out(self) -> None:
        """Give each slot its layout and its parameters: leaves that share the memory of ``own``."""
        start = 0
        for slot in self.slots:
            slot.layout, slot.values = self.layout, []
            for share in self.layout.shares:
                for p in share.expression.parameters:
                    shape = (share.slices, slot.channels) if p.per_channel else (share.slices,)
                    stop = start + math.prod(shape)
                    slot.values.append(self.own[start:stop].view(shape).detach().requires_grad_())
                    start = stop

    @property
    def width(self) -> int:
        """Number of slices."""
        return len(self.seed)

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that is trained: the stacked weights, then the candidates' parameters, flat."""
        return [*self.state.values(), self.own]

    def advance(self, steps: int) -> None:
        """Take optimiser steps up to step number ``steps``."""
        weights = [tensor.requires_grad_() for tensor in self.state.values()]
        values = [value for slot in self.slots for value in slot.values]
        while self.step < steps:
            total = self._losses(self.orders[self.seed, self.step]).mean(dim=1).sum()
            found = torch.autograd.grad(total, [*weights, *values])
            flat = torch.cat([g.reshape(-1) for g in found[len(weights) :]] or [torch.empty_like(self.own)])
            self.adam.step(self.tensors, [*found[: len(weights)], flat])
            self.step += 1

    @torch.no_grad()
    def loss(self, kind: str) -> Tensor:
        """Mean loss of every slice, shape (slices,), on ``"validation"`` or ``"test"`` examples."""
        index = getattr(self.splits, kind)[self.seed]
        parts = [self._losses(part).sum(dim=1) for part in index.split(EVALUATION_BATCH, dim=1)]
        total: Tensor = torch.stack(parts).sum(dim=0)
        return total.div(index.shape[1])

    def _losses(self, index: Tensor) -> Tensor:
        """Loss of each example, shape (slices, batch), for example indices of that shape."""
        output = torch.func.vmap(self._model, randomness="error")(self.state, self._markers(), self.x[index])
        losses = self.task.loss(output.flatten(0, 1), self.y[index].flatten(0, 1))
        return losses.reshape(index.shape)

    def _model(self, state: dict[str, Tensor], markers: dict[str, Tensor], x: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(self.network, (state, markers), (x,))
        return result

    def _markers(self) -> dict[str, Tensor]:
        zeros = torch.zeros(self.width)
        return {name: zeros for name, _ in self.network.named_buffers() if name.split(".")[-1] == "marker"}

    def keep(self, chosen: Sequence[int]) -> None:
        """Keep the members with these indices, in order, and drop the slices of all others."""
        slices = torch.cat([torch.arange(share.start, share.stop) for share in (self.layout.shares[i] for i in chosen)])
        kept = {self.layout.shares[i] for i in chosen}
        sizes = [(share in kept, len(initial)) for share, initial in self._own_parameters()]
        elements = torch.cat([torch.full((size,), keep) for keep, size in sizes] or [torch.empty(0, dtype=torch.bool)])
        self.adam.keep([slices] * len(self.state) + [elements])
        self.state = {name: tensor.detach()[slices] for name, tensor in self.state.items()}
        self.own, self.seed = self.own[elements], self.seed[slices]
        self.members = [self.members[i] for i in chosen]
        self.layout = _layout(self.members, len(self.rates))
        self._hand_out()


def _layout(members: Sequence[Member], rates: int) -> Layout:
    shares, start = [], 0
    for member in members:
        stop = start + len(member.seeds) * rates
        shares.append(Share(member.expression, start, stop, output_factor(member.expression)))
        start = stop
    return Layout(tuple(shares), tuple(tuple(p.name for p in share.expression.parameters) for share in shares))


def _with_slots(network: nn.Module, task: Task, x: Tensor) -> tuple[nn.Module, list[Slot]]:
    """The network with slots where its activations were, and the slots, which know their number of channels."""
    slots: list[Slot] = []
    lone = Layout((Share(variable(), 0, 1),), ((),))

    def make() -> Slot:
        slots.append(Slot(lone))
        return slots[-1]

    if replace(network, task.replaced, make) == 0:
        names = ", ".join(kind.__name__ for kind in task.replaced)
        raise EvaluationError(f"task {task.name!r}: its network has no {names} for the candidate to replace")
    with torch.no_grad():
        network(x)
    return network, slots
