"""Training of members on one task: narrow stacks side by side, in lockstep from rung to rung."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import torch

from evaluators.errors import TaskError
from evaluators.machine.backend import CPU, Backend
from evaluators.objectives import MeasuredObjective, check_measured, measure
from evaluators.rejection import FAILURES_ONLY, Judge
from evaluators.tasks.base import HeldOut, Part, Task
from evaluators.tasks.loop_task import LoopTask
from evaluators.training.checkpoint import NONE, Checkpoint, frozen, thawed
from evaluators.training.loops import train_by_loop
from evaluators.training.member import Array, CohortMember, Outcome, Schedule, best_rate, better_rates
from evaluators.training.stack import Stack

WIDTH = 132  # slices a stack: 33 to 264 differ by a tenth on two small MLPs; wider ones spend less in Python


def train(
    task: Task,
    part: Part,
    members: Sequence[CohortMember],
    schedule: Schedule,
    width: int = WIDTH,
    *,
    judge: Judge = FAILURES_ONLY,
    backend: Backend = CPU,
    measured: Sequence[MeasuredObjective] = (),
    checkpoint: Checkpoint = NONE,
) -> list[Outcome]:
    """Train members; in the search, reject at the rungs and the end. The first member is the reference.

    Failures are rejected, and candidates that the job's rung rule rejects (:mod:`evaluators.rejection`). A member that
    stays may lose its worst learning rate; a control may, too.

    Args:
        task: data, network, loss.
        part: ``"search"``, or ``"confirmation"``, where test losses are taken too.
        members: the reference first; protected ones are never rejected.
        schedule: budget, rungs, learning rates.
        width: slices in one stack; it changes speed and memory, no result.
        judge: decides which members are rejected at a rung.
        backend: device and types.
        measured: objectives to take from the models at the end, at the best learning rate.
        checkpoint: where the state at each rung is offered; begins with the state that it has saved.

    Returns:
        One outcome for each member, in order.

    Raises:
        TaskError: an objective cannot be measured on this task.
    """
    if isinstance(task, LoopTask):
        if measured:
            names = ", ".join(objective.name for objective in measured)
            raise TaskError(f"task {task.name!r} has a loop of its own: {names} cannot be measured")
        return train_by_loop(task, part, members, schedule, judge, backend=backend, checkpoint=checkpoint)
    saved = checkpoint.saved.training if checkpoint.saved else None
    if saved:
        outcomes, stacks = thawed(saved, task, part, members, schedule, backend)
    else:
        outcomes = [Outcome() for _ in members]
        stacks = [
            (Stack(task, part, [members[i] for i in chunk], schedule, backend=backend), chunk)
            for chunk in _chunks(members, schedule, width)
        ]
        check_measured(measured, stacks[0][0])
    for step in [step for step in schedule.rung_steps if not saved or step > saved.step]:
        for stack, chunk in stacks:
            stack.advance(step)
            _note(stack, [outcomes[i] for i in chunk], step)
        if part == "search":
            judge.at(step, task, members, outcomes)
        stacks = [shrunk for stack, chunk in stacks if (shrunk := _shrink(stack, chunk, outcomes, step)) is not None]
        if step < schedule.steps:
            checkpoint.offer(partial(frozen, step, outcomes, stacks))
    if part == "confirmation":
        for stack, chunk in stacks:
            for outcome, losses in zip([outcomes[i] for i in chunk], _by_member(stack, "test"), strict=True):
                outcome.tests = losses
    for stack, chunk in stacks if measured else ():
        for position, outcome in enumerate(outcomes[i] for i in chunk):
            with stack.alone(position, _best_left(stack, position, outcome.at(schedule.steps))) as models:
                outcome.measured = measure(models, measured)
    return outcomes


def _chunks(members: Sequence[CohortMember], schedule: Schedule, width: int) -> Iterator[list[int]]:
    """Indices of consecutive members whose slices fill one stack. A network as it stands is a stack of its own."""
    chunk: list[int] = []
    used = 0
    for index, member in enumerate(members):
        slices = len(member.seeds) * len(schedule.rates)
        if chunk and (used + slices > width or None in (member.expression, members[chunk[-1]].expression)):
            yield chunk
            chunk, used = [], 0
        chunk.append(index)
        used += slices
    yield chunk


def _best_left(stack: Stack, position: int, losses: Array) -> int:
    """The learning rate with the smallest loss; where none is finite, one that the member still has."""
    best, left = best_rate(losses), stack.rates[position]
    return best if best in left else left[0]


def _by_member(stack: Stack, kind: HeldOut) -> list[list[list[float]]]:
    """Losses of each member of a stack, seeds x learning rates, NaN at those that it no longer has."""
    losses = stack.loss(kind).to("cpu", torch.float64)
    rows = []
    for share, member, rates in zip(stack.layout.shares, stack.members, stack.rates, strict=True):
        row = torch.full((len(member.seeds), len(stack.schedule.rates)), math.nan, dtype=torch.float64, device="cpu")
        row[:, list(rates)] = losses[share.start : share.stop].view(-1, len(rates))
        rows.append(row.tolist())
    return rows


def _note(stack: Stack, outcomes: Sequence[Outcome], step: int) -> None:
    for outcome, losses in zip(outcomes, _by_member(stack, "validation"), strict=True):
        outcome.losses[step] = losses


def _shrink(
    stack: Stack, chunk: list[int], outcomes: Sequence[Outcome], step: int
) -> tuple[Stack, list[int]] | None:  # fmt: skip
    """The stack without the members and learning rates that were dropped at a rung; None if nobody is left."""
    alive = [position for position, index in enumerate(chunk) if not outcomes[index].reason]
    if not alive:
        return None
    rates = [stack.rates[position] for position in alive]
    if step == stack.schedule.drop_step:
        rates = [better_rates(outcomes[chunk[position]].at(step)) for position in alive]
    if len(alive) < len(chunk) or step == stack.schedule.drop_step:
        stack.keep(alive, rates)
    return stack, [chunk[position] for position in alive]
