"""Models: the copies of one network that belong to some members, one a slice, however they are trained.

Slices are ordered by member, then seed, then learning rate, of those that the member still has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor

from evaluators.machine.backend import CPU, Backend
from evaluators.tasks.base import HeldOut, Inputs, Part, Split, Task
from evaluators.tasks.checks.privacy import privacy_of
from evaluators.tasks.checks.settings import check_settings
from evaluators.tasks.examples import Examples, examples_of, mapped
from evaluators.tasks.ordering import all_ordered
from evaluators.training.checkpoints.states import ModelsState
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.stacking.activation_slot import After

#: Training batches, the first ones, whose mean statistics over examples layers take in evaluation.
CALIBRATED = 8
EVALUATED = 4  # training batches at once where no gradient is needed


class Models(ABC):
    """Members x seeds x learning rates.

    Args:
        task: data, network, loss and optimiser.
        part: the part of the data, ``"search"`` or ``"confirmation"``.
        members: what to train.
        schedule: learning rates and the number of steps that the data order is made for.
        backend: device and types.

    Attributes:
        seeds: all seeds, increasing.
        seed: for each slice the number of its seed among them.
        rates: for each member the indices, in the schedule, of the learning rates that it still has.
        examples: of the part, on the device.
        orders: indices of the batches, shape (seeds, steps x batches a step, batch).
        splits: a row a seed.
        privacy: how private the training is, or None.
        step: number of steps taken.

    Raises:
        TaskError: a setting of the task, or its data, cannot be used.
    """

    #: Steps that are taken between two looks of who watches: some tenths of a second for small networks.
    span = 5

    def __init__(
        self, task: Task, part: Part, members: Sequence[CohortMember], schedule: Schedule, *, backend: Backend = CPU
    ) -> None:
        check_settings(task)
        self.task, self.members, self.schedule, self.backend = task, list(members), schedule, backend
        self.seeds = sorted({seed for member in members for seed in member.seeds})
        self.slices = [(self.seeds.index(seed), rate) for m in members for seed in m.seeds for rate in schedule.rates]
        self.seed = backend.place(torch.tensor([index for index, _ in self.slices], device="cpu"))
        self.examples = examples_of(task, part).mapped(backend.place)
        self.privacy = privacy_of(task, schedule.steps)
        self._divide(part)
        self.rates = [tuple(range(len(schedule.rates)))] * len(self.members)
        self.step = 0

    def _divide(self, part: Part) -> None:
        splits = [self.task.divided(len(self.examples), part, seed, self.examples.held_out) for seed in self.seeds]
        trains, count = [parts.train for parts in splits], self.schedule.steps * self.task.accumulate
        self.orders = self.backend.place(all_ordered(self.task, self.examples, trains, count, self.seeds))
        fields = ("train", "validation", "test")
        self.splits = Split(*(self.backend.place(torch.stack([getattr(s, f) for s in splits])) for f in fields))

    @property
    def width(self) -> int:
        """Number of slices."""
        return len(self.seed)

    @property
    def ranges(self) -> list[slice]:
        """The slices of each member."""
        counts = [len(member.seeds) * len(rates) for member, rates in zip(self.members, self.rates, strict=True)]
        ends = torch.tensor([0, *counts], device="cpu").cumsum(0).tolist()
        return [slice(start, stop) for start, stop in pairwise(ends)]

    def at(self, index: Tensor) -> Examples:
        """The examples at indices of any shape."""
        return self.examples.rows(index)

    @abstractmethod
    def advance(self, steps: int) -> Tensor:
        """Take optimiser steps up to step number ``steps``.

        Returns:
            The training loss of each step taken and each slice, shape (steps taken, width).
        """

    @abstractmethod
    def outputs(self, inputs: Inputs) -> Any:
        """The networks' outputs in eval mode, each slice's for its own batch; tensors have shape (slices, batch, ...).

        Differentiable, where gradients are enabled.
        """

    def judged(self, output: Any, targets: Inputs) -> Tensor:
        """Loss of each example, shape (slices, batch), for outputs and targets of shape (slices, batch, ...)."""
        losses = self.task.loss(mapped(_flat, output), mapped(_flat, targets))
        return losses.reshape(len(self.seed), -1)

    @abstractmethod
    def loss(self, kind: HeldOut) -> Tensor:
        """Mean loss of every slice, shape (width,), on ``"validation"`` or ``"test"`` examples."""

    @abstractmethod
    def metric(self, kind: HeldOut) -> Tensor:
        """What is judged of every slice, shape (width,): the task's metric on all held-out examples, or the loss."""

    @abstractmethod
    def readings(self, kind: HeldOut) -> list[dict[str, float]]:
        """The task's readings of every slice, on all held-out examples, by name; not always finite."""

    @abstractmethod
    def keep(self, chosen: Sequence[int], rates: Sequence[tuple[int, ...]] | None = None) -> None:
        """Drop slices with their memory.

        Args:
            chosen: indices of the members that are kept, increasing.
            rates: for each of them the indices of the learning rates that are kept, increasing; by default all it has.
        """

    @abstractmethod
    def saved(self) -> ModelsState:
        """What the training has made of the models: tensors on the CPU, and the number of steps taken."""

    @abstractmethod
    def restore(self, saved: ModelsState) -> None:
        """Go on from what :meth:`saved` gave for the same members and learning rates."""

    @abstractmethod
    def alone(self, position: int, rate: int) -> AbstractContextManager[Self]:
        """One member's models at one learning rate, one slice a seed, to look at; these models rest meanwhile.

        Args:
            position: the member's, among these.
            rate: index of the learning rate.
        """

    @abstractmethod
    def altered(self, after: After) -> AbstractContextManager[None]:
        """A context in which what ``after`` returns takes the place of the outputs of each activation."""

    @abstractmethod
    def learned(self) -> list[dict[str, Tensor]]:
        """For each place what the candidate's parameters there are by now, by name, of the models of one candidate.

        Shape (slices,), or (slices, channels) for one per channel. A network as it stands has no places here.
        """

    @abstractmethod
    def inputs_of(self, paths: Collection[str]) -> AbstractContextManager[dict[str, list[Tensor]]]:
        """A context in which the inputs of the network's modules of these names are kept, call by call.

        They have shape (slices, batch, ...); modules are called by position. All models are of one part.
        """

    @abstractmethod
    def weight(self, name: str) -> Tensor:
        """A parameter of the network by its name, shape (slices, ...); all models are of one part."""

    @abstractmethod
    def parts(self) -> Sequence[Models]:
        """These models in parts, in order: what ``after`` is shown of a part are all of its slices at once."""

    @abstractmethod
    def lowered(self, dtype: torch.dtype) -> AbstractContextManager[None]:
        """A context in which activations are computed in a type, operator by operator, and stored in it.

        What is in the places of a network as it stands is computed as torch's own operators are: in the type that it
        has, of an input that is rounded.
        """

    def _places(self, chosen: Sequence[int], rates: Sequence[tuple[int, ...]]) -> list[Tensor]:
        """For some members, which of their slices are those of some of their learning rates, on the CPU."""
        rows = zip(chosen, rates, strict=True)
        return [_columns(self.rates[i], kept, len(self.members[i].seeds)) for i, kept in rows]

    def _kept(self, chosen: Sequence[int], rates: Sequence[tuple[int, ...]]) -> Tensor:
        """The slices of some models of some members; members, rates and seeds become theirs."""
        ranges = self.ranges
        rows = zip(chosen, self._places(chosen, rates), strict=True)
        slices = self.backend.place(torch.cat([ranges[i].start + place for i, place in rows]))
        self.members, self.rates = [self.members[i] for i in chosen], list(rates)
        self.seed = self.seed[slices]
        return slices


def mean_readings(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Of the values of one model, part by part, the means over all examples by name."""
    return {name: float(torch.cat([part[name].reshape(-1) for part in parts]).mean()) for name in parts[0]}


def _columns(had: tuple[int, ...], kept: tuple[int, ...], seeds: int) -> Tensor:
    columns = [had.index(rate) for rate in kept]
    return torch.arange(seeds * len(had), device="cpu").view(seeds, len(had))[:, columns].flatten()


def _flat(tensor: Tensor) -> Tensor:
    return tensor.flatten(0, 1)
