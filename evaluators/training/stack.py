"""A stack: many copies of one network, trained in lockstep as one batched computation.

Slices are ordered by member, then seed, then learning rate, of those that the member still has. Everything that
belongs to a slice (weights, optimiser state, data order) can be dropped with it, and no bit of the others changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from copy import copy
from functools import reduce

import torch
from torch import Tensor, nn

from evaluators.errors import EvaluationError
from evaluators.machine.backend import CPU, Backend
from evaluators.tasks.base import BLOCK, HeldOut, Part, Split, Task, batches, split
from evaluators.tasks.checks import check_network, check_settings
from evaluators.training import candidate_parameters
from evaluators.training.activation_slot import ActivationSlot, Layout, Share
from evaluators.training.buffers import drawn_buffers
from evaluators.training.convolution import StackedConvolutions
from evaluators.training.initialisation import initial_network
from evaluators.training.looks import Look, looks
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.optimiser import OPTIMISERS, clipped
from evaluators.training.schedules import SCHEDULES
from evaluators.training.sites import find_sites
from evaluators.training.states import StackState
from primitives.analysis import output_factor
from primitives.equivalence.builtin import as_builtin
from primitives.expression.expression import variable
from primitives.layers.in_place import InPlace

EVALUATED = 4  # training batches at once where no gradient is needed


class Stack:
    """Members x seeds x learning rates as one model.

    Args:
        task: data, network, loss and optimiser.
        part: the part of the data, ``"search"`` or ``"confirmation"``.
        members: what to train; a network as it stands is the only one.
        schedule: learning rates and the number of steps that the data order is made for.
        backend: device and types.

    Attributes:
        activations: the slots; a network as it stands has none.
        looks: at what stands in its places instead; there are none beside slots.
        rates: for each member the indices, in the schedule, of the learning rates that it still has.
        state: the stacked weights that are trained, by name.
        fixed: what belongs to a slice and is not trained, by name: its seed's frozen parameters, and the
            buffers that differ between seeds. Other buffers are one for all.

    Raises:
        TaskError: a setting of the task or a module of its network cannot be trained in a stack, or the network has no
            place for the candidate.
        EvaluationError: a network as it stands would have company: what is in its places is the same for all slices.
    """

    def __init__(
        self, task: Task, part: Part, members: Sequence[CohortMember], schedule: Schedule, *, backend: Backend = CPU
    ) -> None:
        check_settings(task)
        self.task, self.members, self.schedule, self.backend = task, list(members), schedule, backend
        seeds = sorted({seed for member in members for seed in member.seeds})
        slices = [(seeds.index(seed), rate) for m in members for seed in m.seeds for rate in schedule.rates]
        self.seed = backend.place(torch.tensor([index for index, _ in slices], device="cpu"))
        self._load(part, seeds)
        self._build([initial_network(task, seed) for seed in seeds])
        self.rates = [tuple(range(len(schedule.rates)))] * len(self.members)
        self.layout = _layout(self.members, self.rates)
        self.blocks = candidate_parameters.blocks(self.activations, self.layout)
        self.candidate_parameters = backend.place(candidate_parameters.initial(self.blocks))
        self._hand_out()
        rates = backend.place(torch.tensor([rate for _, rate in slices], device="cpu", dtype=torch.float64))
        parameter_rates = rates[backend.place(candidate_parameters.slices(self.blocks))]
        self.optimiser = OPTIMISERS[task.optimiser](self.tensors, [rates] * len(self.state) + [parameter_rates])
        self.step = 0

    def _load(self, part: Part, seeds: Sequence[int]) -> None:
        """Data, splits and orders; ``splits`` and ``orders`` have one row a seed."""
        x, y = self.task.data(part)
        self.x, self.y = self.backend.place(x), self.backend.place(y)
        splits = [split(len(x), part, seed) for seed in seeds]
        orders = [
            batches(parts.train, self.schedule.steps, self.task.batch_size, seed)
            for parts, seed in zip(splits, seeds, strict=True)
        ]
        self.orders = self.backend.place(torch.stack(orders))
        fields = ("train", "validation", "test")
        self.splits = Split(*(self.backend.place(torch.stack([getattr(s, f) for s in splits])) for f in fields))

    def _build(self, networks: Sequence[nn.Module]) -> None:
        """One network with activation slots, and the stacked weights of all."""
        weights = [dict(network.named_parameters()) for network in networks]
        trained = {name: weight.requires_grad for name, weight in weights[0].items()}
        stacked = {name: self._stacked([each[name].detach() for each in weights]) for name in trained}
        self.state = {name: tensor for name, tensor in stacked.items() if trained[name]}
        self.fixed = {name: tensor for name, tensor in stacked.items() if not trained[name]}
        self.fixed |= {name: self._stacked(of_seeds) for name, of_seeds in drawn_buffers(self.task, networks).items()}
        self.network = networks[0]
        self.backend.move(self.network)
        self.activations, self.looks = self._fitted(self.x[: self.orders.shape[2]])
        self.writes = bool(self.looks) or any(isinstance(module, InPlace) for module in self.network.modules())
        convolves = any(isinstance(module, nn.modules.conv._ConvNd) for module in self.network.modules())
        self.convolutions = StackedConvolutions() if convolves else nullcontext()  # it costs 1 us a call of torch

    def _fitted(self, x: Tensor) -> tuple[list[ActivationSlot], list[Look]]:
        """Slots for the candidates; or, of a network as it stands, looks at what is in its places."""
        if all(member.expression is not None for member in self.members):
            return _put_activation_slots(self.network, self.task, x), []
        if len(self.members) > 1:
            raise EvaluationError(f"expected a network as it stands alone in a stack, got {len(self.members)} members")
        check_network(self.task, self.network)
        return [], looks(self.network, self.task, x)

    def _stacked(self, of_seeds: Sequence[Tensor]) -> Tensor:
        """One tensor a seed as one row a slice."""
        return self.backend.moved(torch.stack(list(of_seeds)))[self.seed]

    def _hand_out(self) -> None:
        """Give every activation slot the layout, and its parameters: leaves that share one memory."""
        for activation in self.activations:
            activation.layout, activation.values = self.layout, []
        self.values = candidate_parameters.hand_out(self.blocks, self.candidate_parameters)

    @property
    def width(self) -> int:
        """Number of slices."""
        return len(self.seed)

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that is trained: the stacked weights, then the candidates' parameters, flat."""
        return [*self.state.values(), self.candidate_parameters]

    def advance(self, steps: int) -> Tensor:
        """Take optimiser steps up to step number ``steps``.

        Returns:
            The training loss of each step taken and each slice, shape (steps taken, width).
        """
        weights = [tensor.requires_grad_() for tensor in self.state.values()]
        owners = [slice(None)] * len(weights) + [block.owners for block in self.blocks]
        factor = SCHEDULES[self.task.schedule]
        taken = [torch.empty(0, self.width, device=self.seed.device, dtype=self.backend.dtype)]
        while self.step < steps:
            losses = self._losses(self.orders[self.seed, self.step]).mean(dim=1)
            gradients: Sequence[Tensor]
            gradients = torch.autograd.grad(losses.sum(), [*weights, *self.values], materialize_grads=True)
            if self.task.clip is not None:
                gradients = clipped(gradients, owners, self.task.clip)
            of_weights, of_parameters = gradients[: len(weights)], gradients[len(weights) :]
            flat = torch.cat([torch.empty_like(self.candidate_parameters[:0]), *(g.flatten() for g in of_parameters)])
            self.optimiser.step(self.tensors, [*of_weights, flat], factor(self.step, self.schedule.steps))
            self.step += 1
            taken.append(losses.detach()[None])
        return torch.cat(taken)

    @torch.no_grad()
    def loss(self, kind: HeldOut) -> Tensor:
        """Mean loss of every slice, shape (width,), on ``"validation"`` or ``"test"`` examples."""
        index = getattr(self.splits, kind)[self.seed]
        count, missing = index.shape[1], -index.shape[1] % BLOCK
        if missing:  # a batch is a multiple of 32; copies fill it up and do not count
            index = index[:, torch.arange(count + missing, device=index.device) % count]
        losses = [self._losses(part) for part in index.split(EVALUATED * self.task.batch_size, dim=1)]
        losses[-1][:, losses[-1].shape[1] - missing :] = 0.0
        # one after the other: a sum over the parts' dimension adds in an order that depends on the width
        return reduce(torch.add, [part.sum(dim=1) for part in losses]).div(count)

    def _losses(self, index: Tensor) -> Tensor:
        """Loss of each example, shape (slices, batch), for example indices of that shape."""
        return self.judged(self.outputs(self.x[index]), self.y[index])

    def outputs(self, x: Tensor) -> Tensor:
        """The networks' outputs, each slice's for its own batch; ``x`` has shape (slices, batch, ...)."""
        x = x.clone() if self.writes else x  # the network may write into it
        with self.backend.mixed(), self.convolutions:
            output = torch.func.vmap(self._model, randomness="error")(self.state | self.fixed, self._markers(), x)
        return self.backend.place(output)

    def judged(self, output: Tensor, y: Tensor) -> Tensor:
        """Loss of each example, shape (slices, batch), for outputs and targets of shape (slices, batch, ...)."""
        losses = self.task.loss(output.flatten(0, 1), y.flatten(0, 1))
        return losses.reshape(output.shape[:2])

    def _model(self, state: dict[str, Tensor], markers: dict[str, Tensor], x: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(self.network, (state, markers), (x,))
        return result

    def _markers(self) -> dict[str, Tensor]:
        zeros = torch.zeros(self.width, device=self.seed.device)
        slots = (path for path, module in self.network.named_modules() if isinstance(module, ActivationSlot))
        return {f"{path}.marker": zeros for path in slots}

    def keep(self, chosen: Sequence[int], rates: Sequence[tuple[int, ...]] | None = None) -> None:
        """Drop slices with their memory.

        Args:
            chosen: indices of the members that are kept, increasing.
            rates: for each of them the indices of the learning rates that are kept, increasing; by default all it has.
        """
        slices, flat = self._narrow(chosen, [self.rates[i] for i in chosen] if rates is None else rates)
        self.optimiser.keep([slices] * len(self.state) + [flat])

    def _narrow(self, chosen: Sequence[int], rates: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """Keep some models of some members, but for the optimiser; return the indices of slices and parameters."""
        rows = zip(chosen, rates, strict=True)
        places = {self.layout.shares[i]: _places(self.rates[i], kept, len(self.members[i].seeds)) for i, kept in rows}
        slices = self.backend.place(torch.cat([share.start + place for share, place in places.items()]))
        flat = self.backend.place(candidate_parameters.picked(self.blocks, places))
        self.state = {name: tensor.detach()[slices] for name, tensor in self.state.items()}
        self.fixed = {name: tensor[slices] for name, tensor in self.fixed.items()}
        self.candidate_parameters, self.seed = self.candidate_parameters[flat], self.seed[slices]
        self.members, self.rates = [self.members[i] for i in chosen], list(rates)
        self.layout = _layout(self.members, self.rates)
        self.blocks = candidate_parameters.blocks(self.activations, self.layout)
        self._hand_out()
        return slices, flat

    def saved(self) -> StackState:
        """What the training has made of the stack: tensors on the CPU, and the number of steps taken."""
        optimiser = tuple(tuple(tensor.cpu() for tensor in tensors) for tensors in self.optimiser.state)
        fixed = tuple(tensor.cpu() for tensor in self.fixed.values())
        return StackState(self.step, tuple(t.detach().cpu() for t in self.tensors), optimiser, fixed)

    def restore(self, saved: StackState) -> None:
        """Go on from what :meth:`saved` gave for a stack of the same members and learning rates."""
        *weights, flat = (tensor.to(self.backend.device) for tensor in saved.tensors)
        self.state, self.candidate_parameters = dict(zip(self.state, weights, strict=True)), flat
        fixed = (tensor.to(self.backend.device) for tensor in saved.fixed)
        self.fixed = dict(zip(self.fixed, fixed, strict=True))
        self.optimiser.state = [[tensor.to(self.backend.device) for tensor in row] for row in saved.optimiser]
        self.step = self.optimiser.steps = saved.step
        self._hand_out()

    @contextmanager
    def alone(self, position: int, rate: int) -> Iterator[Stack]:
        """One member's models at one learning rate, one slice a seed, to look at; this stack rests meanwhile.

        Args:
            position: the member's, in this stack.
            rate: index of the learning rate.
        """
        view = copy(self)
        view._narrow([position], [(rate,)])
        try:
            yield view
        finally:
            self._hand_out()


def _places(had: tuple[int, ...], kept: tuple[int, ...], seeds: int) -> Tensor:
    """Which of a member's slices are those of some of the learning rates that it has, on the CPU."""
    columns = [had.index(rate) for rate in kept]
    return torch.arange(seeds * len(had), device="cpu").view(seeds, len(had))[:, columns].flatten()


def _layout(members: Sequence[CohortMember], rates: Sequence[tuple[int, ...]]) -> Layout:
    shares, start = [], 0
    for member, remaining in zip(members, rates, strict=True):
        stop = start + len(member.seeds) * len(remaining)
        shares.append(_share(member, start, stop))
        start = stop
    return Layout(tuple(shares), tuple(tuple(p.name for p in share.expression.parameters) for share in shares))


def _share(member: CohortMember, start: int, stop: int) -> Share:
    if member.expression is None:  # without slots nobody applies it
        return Share(variable(), start, stop)
    return Share(as_builtin(member.expression), start, stop, output_factor(member.expression))


def _put_activation_slots(network: nn.Module, task: Task, x: Tensor) -> list[ActivationSlot]:
    """Put activation slots where a network has its activations, and return them."""
    check_network(task, network)
    lone = Layout((Share(variable(), 0, 1),), ((),))
    placed = []
    for site in find_sites(network, task, x):
        activation = ActivationSlot(lone).to(x.device)
        activation.channels = site.channels
        site.put(activation)
        placed.append(activation)
    return placed
