"""Training of members on one task: narrow stacks side by side, in lockstep from mark to mark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from evaluators.backend import CPU, Backend
from evaluators.member import Member, Outcome, Schedule
from evaluators.rejection import UNPROMISING, promise
from evaluators.rungs import failure
from evaluators.stack import Stack
from evaluators.task import Task

WIDTH = 132  # slices a stack: 33 to 264 differ by a tenth on two small MLPs; wider ones spend less in Python


def train(
    task: Task,
    part: str,
    members: Sequence[Member],
    schedule: Schedule,
    width: int = WIDTH,
    *,
    thresholds: Mapping[int, float] | None = None,
    backend: Backend = CPU,
) -> list[Outcome]:
    """Train members; in the search, reject at the rungs and the end. The first member is ReLU, the reference.

    Failures go, and at a mark with a threshold whoever promises less than it asks (:mod:`evaluators.rejection`).

    Args:
        task: data, network, loss.
        part: ``"search"``, or ``"confirmation"``, where test losses are taken too.
        members: ReLU first; protected ones are never rejected.
        schedule: budget, rungs, learning rates.
        width: slices in one stack; it changes speed and memory, no result.
        thresholds: mark -> the largest promise that goes on.
        backend: device and types.

    Returns:
        One outcome for each member, in order.
    """
    outcomes = [Outcome() for _ in members]
    stacks = [
        (Stack(task, part, [members[i] for i in chunk], schedule, backend=backend), chunk)
        for chunk in _chunks(members, schedule, width)
    ]
    for mark in schedule.marks:
        for stack, chunk in stacks:
            stack.advance(mark)
            _note(stack, [outcomes[i] for i in chunk], mark)
        if part == "search":
            _judge(task, members, outcomes, mark, (thresholds or {}).get(mark, math.inf))
        stacks = [shrunk for stack, chunk in stacks if (shrunk := _shrink(stack, chunk, outcomes)) is not None]
    if part == "confirmation":
        for stack, chunk in stacks:
            for outcome, losses in zip([outcomes[i] for i in chunk], _by_member(stack, "test"), strict=True):
                outcome.tests = losses
    return outcomes


def _chunks(members: Sequence[Member], schedule: Schedule, width: int) -> Iterator[list[int]]:
    """Indices of consecutive members whose slices fill one stack."""
    chunk: list[int] = []
    used = 0
    for index, member in enumerate(members):
        slices = len(member.seeds) * len(schedule.rates)
        if chunk and used + slices > width:
            yield chunk
            chunk, used = [], 0
        chunk.append(index)
        used += slices
    yield chunk


def _by_member(stack: Stack, kind: str) -> list[list[list[float]]]:
    """Losses of each member of a stack, seeds x learning rates."""
    losses = stack.loss(kind).to(torch.float64)
    rows = [losses[share.start : share.stop].view(-1, len(stack.schedule.rates)) for share in stack.layout.shares]
    return [row.tolist() for row in rows]


def _note(stack: Stack, outcomes: Sequence[Outcome], mark: int) -> None:
    for outcome, losses in zip(outcomes, _by_member(stack, "validation"), strict=True):
        outcome.losses[mark] = losses


def _judge(task: Task, members: Sequence[Member], outcomes: Sequence[Outcome], mark: int, threshold: float) -> None:
    """Write the reason of each rejection at a mark into its outcome."""
    relu = np.maximum(outcomes[0].at(mark), task.loss_floor)
    for member, outcome in zip(members, outcomes, strict=True):
        if not member.protected and mark in outcome.losses:
            losses = np.maximum(outcome.at(mark), task.loss_floor)
            outcome.reason = failure(losses, relu, task.chance)
            if not (outcome.reason or member.spared) and promise(losses, relu) > threshold:
                outcome.reason = UNPROMISING


def _shrink(stack: Stack, chunk: list[int], outcomes: Sequence[Outcome]) -> tuple[Stack, list[int]] | None:
    """The stack without the members that were rejected; None if nobody is left."""
    alive = [position for position, index in enumerate(chunk) if not outcomes[index].reason]
    if not alive:
        return None
    if len(alive) < len(chunk):
        stack.keep(alive)
    return stack, [chunk[position] for position in alive]
