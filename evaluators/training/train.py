"""Training of members on one task: narrow stacks side by side, in lockstep from rung to rung.

Where no stack can hold the network, members are trained one after the other, rung by rung, beside the reference's
losses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from evaluators.comparison import comparison_of, name_of_judged
from evaluators.errors import TaskError
from evaluators.machine.backend import CPU, Backend
from evaluators.objectives import MeasuredObjective, check_measured, measure
from evaluators.rejection import FAILURES_ONLY, READING, Judge, check_accuracy
from evaluators.tasks.base import HeldOut, Part, Task
from evaluators.tasks.loop_task import LoopTask
from evaluators.training.chains.choice import not_native
from evaluators.training.chains.native_stack import NativeStack
from evaluators.training.checkpoints.checkpoint import NONE, Checkpoint, Group, frozen, thawed
from evaluators.training.loops import train_by_loop
from evaluators.training.member import Array, CohortMember, Outcome, Schedule, best_rate, better_rates
from evaluators.training.models import Models
from evaluators.training.progress import Watch, reached
from evaluators.training.singles import Singles
from evaluators.training.stacking.stack import Stack
from evaluators.training.stacking.stackable import unstackable

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
    readings: bool = False,
    checkpoint: Checkpoint = NONE,
    watch: Watch | None = None,
) -> list[Outcome]:
    """Train members; in the search, reject at the rungs and the end. The first member is the reference.

    Failures are rejected, and candidates that the job's rung rule rejects (:mod:`evaluators.rejection`). A member that
    stays may lose its worst learning rate; a control may, too.

    Args:
        task: data, network, loss.
        part: ``"search"``, or ``"confirmation"``, where test losses and readings are taken too.
        members: the reference first; protected ones are never rejected.
        schedule: budget, rungs, learning rates.
        width: slices in one stack; it changes speed and memory, no result.
        judge: decides which members are rejected at a rung.
        backend: device and types.
        measured: objectives to take from the models at the end, at the best learning rate.
        readings: take them in the search, too, on validation examples.
        checkpoint: where the state at each rung is offered; begins with the state that it has saved.
        watch: looks on.

    Returns:
        One outcome for each member, in order.

    Raises:
        TaskError: an objective cannot be measured on this task, or the judge asks for an accuracy that it has not.
    """
    if judge.accuracy is not None:
        check_accuracy(task)
    if isinstance(task, LoopTask):
        if measured:
            names = ", ".join(objective.name for objective in measured)
            raise TaskError(f"task {task.name!r} has a loop of its own: {names} cannot be measured")
        outcomes = train_by_loop(
            task, part, members, schedule, judge, backend=backend, checkpoint=checkpoint, watch=watch
        )
        if readings or part == "confirmation":
            _read_judged(task, outcomes)
        return outcomes
    stacked = not unstackable(task)
    course = _Course(task, part, members, schedule, backend, judge, checkpoint, readings, stacked, watch)
    saved = checkpoint.saved.training if checkpoint.saved else None
    outcomes = list(saved.outcomes) if saved else []
    for group in [[*range(len(members))]] if stacked else [[number] for number in range(len(members))]:
        begun = saved if saved and saved.models and group[-1] == len(outcomes) - 1 else None
        if group[-1] < len(outcomes) and not begun:
            continue
        outcomes += [Outcome() for number in group if number >= len(outcomes)]
        build = partial(_built, course)
        models = thawed(begun, build) if begun else [(build(chunk), chunk) for chunk in _chunks(course, group, width)]
        if not (begun or group[0]):
            check_measured(measured, models[0][0])
        models = _to_the_end(course, group, models, outcomes, begun.step if begun else 0)
        _finish(course, models, outcomes, measured)
        if not stacked:
            checkpoint.offer(partial(frozen, 0, outcomes, []))
    return outcomes


@dataclass(frozen=True, slots=True)
class _Course:
    """What :func:`train` was asked for."""

    task: Task
    part: Part
    members: Sequence[CohortMember]
    schedule: Schedule
    backend: Backend
    judge: Judge
    checkpoint: Checkpoint
    readings: bool
    stacked: bool
    watch: Watch | None

    def kind(self, number: int) -> type[Models]:
        """How a member is trained."""
        if not self.stacked:
            return Singles
        expression = self.members[number].expression
        return Stack if not_native(self.task, self.part, expression, self.backend) else NativeStack

    @property
    def held_out(self) -> HeldOut:
        """What is looked at last."""
        return "test" if self.part == "confirmation" else "validation"


def _built(course: _Course, numbers: Sequence[int]) -> Models:
    members = [course.members[number] for number in numbers]
    models = course.kind(numbers[0])(course.task, course.part, members, course.schedule, backend=course.backend)
    if any(member.rates for member in members):
        models.keep(range(len(members)), [m.rates or all_ for m, all_ in zip(members, models.rates, strict=True)])
    return models


def _to_the_end(course: _Course, group: Sequence[int], models: Group, outcomes: list[Outcome], step: int) -> Group:
    """Train a group's models from a step on, rung by rung, and return those that are left."""
    judged = group if group[0] == 0 else [0, *group]  # beside the reference
    for rung in [rung for rung in course.schedule.rung_steps if rung > step]:
        for each, chunk in models:
            _advance(course, each, rung)
            _note(each, [outcomes[i] for i in chunk], rung)
            if course.watch:
                course.watch.reached(reached(course.task, course.members, outcomes, rung, course.schedule))
        if course.part == "search":
            accuracies = _accuracies(course, models)
            course.judge.at(
                rung, course.task, [course.members[i] for i in judged], [outcomes[i] for i in judged],
                [accuracies.get(i) for i in judged],
            )  # fmt: skip
        models = [shrunk for each, chunk in models if (shrunk := _shrink(each, chunk, outcomes, rung)) is not None]
        if rung < course.schedule.steps:
            course.checkpoint.offer(partial(frozen, rung, outcomes, models))
    return models


def _accuracies(course: _Course, models: Group) -> dict[int, Array]:
    """By number of the member, on validation examples, seeds x learning rates; none where the judge has no floor."""
    found: dict[int, Array] = {}
    for each, chunk in models if course.judge.accuracy is not None else ():
        read = [of_slice[READING] for of_slice in each.readings("validation")]
        tables = _by_member(each, torch.tensor(read, dtype=torch.float64, device="cpu"))
        found |= {number: np.array(table) for number, table in zip(chunk, tables, strict=True)}
    return found


def _advance(course: _Course, models: Models, rung: int) -> None:
    """Train up to a rung; in spans, if somebody looks."""
    if course.watch is None:
        models.advance(rung)
        return
    while models.step < rung:
        models.advance(min(rung, models.step + models.span))
        course.watch.stepped()


def _finish(course: _Course, models: Group, outcomes: list[Outcome], measured: Sequence[MeasuredObjective]) -> None:
    """Take test losses and readings in confirmation, and what is measured on the trained models."""
    if course.part == "confirmation":
        for each, chunk in models:
            for outcome, losses in zip([outcomes[i] for i in chunk], _judged(each, "test"), strict=True):
                outcome.tests = losses
    if course.readings or course.part == "confirmation":
        for each, chunk in models:
            _read(each, [outcomes[i] for i in chunk], course.held_out)
    costs = comparison_of(course.task).costs
    for each, chunk in models if measured else ():
        for position, outcome in enumerate(outcomes[i] for i in chunk):
            with each.alone(position, _best_left(each, position, costs(outcome.at(course.schedule.steps)))) as alone:
                outcome.measured = measure(alone, measured)


def _chunks(course: _Course, group: Sequence[int], width: int) -> Iterator[list[int]]:
    """Numbers of members of one kind whose slices fill one stack. A network as it stands is a stack of its own."""
    kinds = {number: course.kind(number) for number in group}
    for kind in dict.fromkeys(kinds.values()):
        chunk: list[int] = []
        used = 0
        for number in (each for each in group if kinds[each] is kind):
            slices = len(course.members[number].seeds) * len(course.schedule.rates)
            alone = None in (course.members[n].expression for n in (number, *chunk[-1:]))
            if chunk and (used + slices > width or alone):
                yield chunk
                chunk, used = [], 0
            chunk.append(number)
            used += slices
        yield chunk


def _best_left(models: Models, position: int, costs: Array) -> int:
    """The learning rate with the smallest cost; where none is finite, one that the member still has."""
    best, left = best_rate(costs), models.rates[position]
    return best if best in left else left[0]


def _read(models: Models, outcomes: Sequence[Outcome], kind: HeldOut) -> None:
    """Take the readings of some models."""
    found = models.readings(kind)
    for name in found[0]:
        values = torch.tensor([of_slice[name] for of_slice in found], dtype=torch.float64, device="cpu")
        for outcome, table in zip(outcomes, _by_member(models, values), strict=True):
            outcome.readings[name] = table
    _read_judged(models.task, outcomes)


def _read_judged(task: Task, outcomes: Sequence[Outcome]) -> None:
    """What is judged is a reading, too, where it is no loss."""
    for outcome in outcomes if name_of_judged(task) else ():
        if not outcome.reason:
            outcome.readings[name_of_judged(task)] = outcome.tests or outcome.losses[max(outcome.losses)]


def _judged(models: Models, kind: HeldOut) -> list[list[list[float]]]:
    """Values of each member that are judged."""
    return _by_member(models, models.metric(kind).to("cpu", torch.float64))


def _by_member(models: Models, of_slices: Tensor) -> list[list[list[float]]]:
    """Numbers of all slices by member, seeds x learning rates, NaN at those that it no longer has."""
    rows = []
    for own, member, rates in zip(models.ranges, models.members, models.rates, strict=True):
        row = torch.full((len(member.seeds), len(models.schedule.rates)), math.nan, dtype=torch.float64, device="cpu")
        row[:, list(rates)] = of_slices[own].view(-1, len(rates))
        rows.append(row.tolist())
    return rows


def _note(models: Models, outcomes: Sequence[Outcome], step: int) -> None:
    for outcome, losses in zip(outcomes, _judged(models, "validation"), strict=True):
        outcome.losses[step] = losses


def _shrink(
    models: Models, chunk: list[int], outcomes: Sequence[Outcome], step: int
) -> tuple[Models, list[int]] | None:  # fmt: skip
    """The models without the members and learning rates that were dropped at a rung; None if nobody is left."""
    alive = [position for position, number in enumerate(chunk) if not outcomes[number].reason]
    if not alive:
        return None
    rates = [models.rates[position] for position in alive]
    if step == models.schedule.drop_step:
        costs = comparison_of(models.task).costs
        rates = [better_rates(costs(outcomes[chunk[position]].at(step))) for position in alive]
    if len(alive) < len(chunk) or step == models.schedule.drop_step:
        models.keep(alive, rates)
    return models, [chunk[position] for position in alive]
