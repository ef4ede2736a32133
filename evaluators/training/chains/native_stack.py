"""A stack whose steps the native engine takes: slice after slice, each from rung to rung while it is in cache.

Weights, moments and the candidates' parameters lie where those of every stack lie; only who computes differs.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evaluators.errors import EvaluationError
from evaluators.machine.backend import CPU, Backend
from evaluators.machine.threads import one_thread
from evaluators.tasks.base import Inputs, Part, Task
from evaluators.tasks.optimisers import optimiser_named
from evaluators.training.chains.calls import calls, scratch
from evaluators.training.chains.chain import Kind
from evaluators.training.chains.chains import chain_of
from evaluators.training.chains.formulas import fixed, of_place
from evaluators.training.chains.structures import (
    ChainStructure,
    DataStructure,
    Formula,
    OptimiserStructure,
    SliceStructure,
    Tensors,
    chain_structure,
    optimiser_structure,
)
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.schedules import schedule_named
from evaluators.training.stacking.candidate_parameters import Block
from evaluators.training.stacking.stack import Stack

#: Steps in one call: then a signal waits for a fraction of a second. A slice's state goes out and in between, which
#: costs a thousandth.
STEPS = 100

Addresses = NDArray[np.uint64]  # of tensors, shape (slices, tensors)


@dataclass(frozen=True, slots=True)
class _Member:
    """A member with its chain, and the addresses of what its slices have: tensors, first and second moments."""

    slices: range
    chain: ChainStructure
    places: tuple[Addresses, ...]


class NativeStack(Stack):
    """A stack of members that :mod:`evaluators.training.chains.choice` names.

    Raises:
        EvaluationError: there is no engine, or the task's network is no chain, or has buffers that each seed has for
            itself: what the first step takes is made once, for all.
        LoweringError: a member is none of those.
    """

    span = STEPS

    def __init__(
        self, task: Task, part: Part, members: Sequence[CohortMember], schedule: Schedule, *, backend: Backend = CPU
    ) -> None:
        super().__init__(task, part, members, schedule, backend=backend)
        if own := self.fixed.keys() - dict(self.network.named_parameters()).keys():
            raise EvaluationError(f"task {task.name!r} is not for the native engine: {min(own)} differs between seeds")
        self._prepared: list[_Member] | None = None
        self.trained = chain_of(task, part, current=members[0].expression is None, backend=backend)
        prepared = self.trained.prepared
        self.inputs = self.examples.inputs.flatten(1).contiguous() if prepared is None else prepared
        self.targets = self.examples.targets.contiguous()
        self.calls = calls(backend.dtype)

    def _hand_out(self) -> None:
        super()._hand_out()
        self._prepared = None  # tensors lie elsewhere now

    def advance(self, steps: int) -> Tensor:
        self._forget()
        losses = torch.empty(self.width, steps - self.step, device="cpu", dtype=self.backend.dtype)
        optimiser = self._optimiser_structure()
        work = [
            partial(self._train_slice, member, row, optimiser, losses[row], steps)
            for member in self._members()
            for row in member.slices
        ]
        _all_done(work)
        self.step = self.optimiser.steps = steps
        return losses.T

    def losses(self, index: Tensor) -> Tensor:
        if torch.is_grad_enabled() or self._is_watched:
            return super().losses(index)
        return self.judged(self._run(self.inputs, index), self.at(index).targets)

    def outputs(self, inputs: Inputs) -> Any:
        if torch.is_grad_enabled() or self._is_watched or self.trained.prepared is not None:
            return super().outputs(inputs)
        rows = torch.arange(inputs.shape[:2].numel(), device="cpu").view(inputs.shape[:2])
        return self._run(inputs.reshape(rows.numel(), -1).contiguous(), rows)

    @property
    def _is_watched(self) -> bool:
        """Only torch's passes show what an activation gives, and have it in another type."""
        looks = (*self.looks, *self.notes)
        of_slots = any(slot.after or slot.dtype for slot in self.activations)
        return of_slots or any(look.after or look.dtype for look in looks)

    def _run(self, inputs: Tensor, index: Tensor) -> Tensor:
        """Outputs of each slice for its rows of the inputs, shape (slices, batch, ...)."""
        outputs = inputs.new_empty(*index.shape, *self.trained.chain.shape)
        _all_done([
            partial(self._run_slice, member, row, inputs, index[row], outputs[row])
            for member in self._members()
            for row in member.slices
        ])  # fmt: skip
        return outputs

    def _train_slice(
        self, member: _Member, row: int, optimiser: OptimiserStructure, losses: Tensor, steps: int
    ) -> None:
        order = self.orders[self.seed[row]]
        data = DataStructure(self.inputs.data_ptr(), self.targets.data_ptr(), order.data_ptr(), order.shape[1])
        slice_ = self._slice(member, row)
        memory = scratch(self.calls.scratch(member.chain, order.shape[1], True))
        for start in range(self.step, steps, STEPS):
            stop = min(start + STEPS, steps)
            into = losses.data_ptr() + (start - self.step) * losses.element_size()
            self.calls.train(member.chain, slice_, optimiser, data, start, stop, into, memory)

    def _run_slice(self, member: _Member, row: int, inputs: Tensor, index: Tensor, outputs: Tensor) -> None:
        memory = scratch(self.calls.scratch(member.chain, len(index), False))
        slice_ = self._slice(member, row)
        self.calls.outputs(member.chain, slice_, inputs, index, outputs, memory)

    def _slice(self, member: _Member, row: int) -> SliceStructure:
        own = [place[row - member.slices.start] for place in member.places]
        pointers = [each.ctypes.data_as(ctypes.POINTER(ctypes.c_void_p)) for each in own]
        return SliceStructure(*pointers, float(self.optimiser.rates[0][row]))

    def _optimiser_structure(self) -> OptimiserStructure:
        factor = schedule_named(self.task.schedule).factor
        factors = [factor(step, self.schedule.steps) for step in range(self.schedule.steps)]
        clip = math.inf if self.task.clip is None else self.task.clip
        settings = optimiser_named(self.task.optimiser)
        return optimiser_structure(settings, factors, clip=clip, accumulate=self.task.accumulate)

    def _members(self) -> list[_Member]:
        if self._prepared is None:
            self._prepared = [*self._prepare()]
        return self._prepared

    def _prepare(self) -> Iterator[_Member]:
        """The members as the engine takes them, as long as tensors stay where they are."""
        names = self.trained.chain.tensors
        for number, own in enumerate(self.ranges):
            blocks = [block for block in self.blocks if block.member == number]
            formulas = list(self._formulas(number, blocks, len(names)))
            structure = chain_structure(self.trained.chain, formulas, self._tensors(blocks), self.trained.loss)
            rows = np.arange(own.start, own.stop, dtype=np.uint64)
            moments = [*self.optimiser.state, [], []][:2]
            tensors = [(self.state | self.fixed)[name] for name in names]
            places = [_places(tensors, self.candidate_parameters, blocks, rows)]
            for kind in moments:
                of_names = dict(zip(self.state, kind, strict=False))
                flat = kind[-1] if kind else None
                places.append(_places([of_names.get(name) for name in names], flat, blocks, rows))
            yield _Member(range(own.start, own.stop), structure, tuple(places))

    def _tensors(self, blocks: Sequence[Block]) -> Tensors:
        """What a slice has: the chain's parameters, then those of its candidate."""
        names = self.trained.chain.tensors
        decay = optimiser_named(self.task.optimiser).weight_decay
        sizes = [(self.state | self.fixed)[name][0].numel() for name in names]
        return Tensors(
            numbers={name: number for number, name in enumerate(names)},
            sizes=(*sizes, *(block.elements.shape[1] for block in blocks)),
            trained=(*(name in self.state for name in names), *(True for _ in blocks)),
            decays=(*(decay for _ in names), *(0.0 for _ in blocks)),
        )

    def _formulas(self, member: int, blocks: Sequence[Block], first: int) -> Iterator[Formula]:
        """Of each activation in the order of the steps."""
        numbers = {block.key: first + at for at, block in enumerate(blocks)}
        for step in self.trained.chain.steps:
            if step.kind != Kind.ACTIVATION:
                continue
            if step.slot is None:
                assert step.function is not None
                yield fixed(step.function)
            else:
                yield of_place(self.activations[step.slot], member, numbers)


def _places(
    tensors: Sequence[Tensor | None], flat: Tensor | None, blocks: Sequence[Block], rows: Addresses
) -> Addresses:
    """Where the slices' parts of stacked tensors begin, then those of candidates' parameters in a flat one."""
    columns = [*(_addresses(each, rows) for each in tensors), *(_of_block(flat, block) for block in blocks)]
    return np.stack(columns, axis=1)


def _addresses(tensor: Tensor | None, rows: Addresses) -> Addresses:
    """Where the rows of a stacked tensor begin; 0 without one."""
    if tensor is None:
        return np.zeros_like(rows)
    assert tensor.is_contiguous()
    return rows * np.uint64(tensor[0].numel() * tensor.element_size()) + np.uint64(tensor.data_ptr())


def _of_block(flat: Tensor | None, block: Block) -> Addresses:
    """Where the elements of a candidate's parameter begin, for each slice of the candidate; 0 without a tensor."""
    first: Addresses = block.elements[:, 0].numpy().astype(np.uint64)
    if flat is None:
        return np.zeros_like(first)
    return first * np.uint64(flat.element_size()) + np.uint64(flat.data_ptr())


def _all_done(work: Sequence[Callable[[], None]]) -> None:
    """Do some work on as many threads as torch has, each with one thread for its products."""
    threads = min(torch.get_num_threads(), len(work))
    with one_thread():
        if threads <= 1:
            for each in work:
                each()
            return
        pool = ThreadPoolExecutor(threads)
        try:
            for done in [pool.submit(each) for each in work]:
                done.result()
        finally:
            pool.shutdown(cancel_futures=True)  # after an error or a signal, what is not begun stays so
