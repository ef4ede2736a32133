"""A mixture from the warm start to one operator in each slot."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import torch

from evaluators.mixture.cell import Cell
from evaluators.mixture.request import Dropped, Mark, MixtureRequest, MixtureResult
from evaluators.mixture.shrinking import drop_steps, next_drop
from evaluators.mixture.space import Space, expression_of
from evaluators.mixture.training import MixtureTraining
from evaluators.tasks import task
from evaluators.tasks.base import Task
from evaluators.tasks.conditions import under
from evaluators.training.progress import Watch
from primitives.operators.of_files import register_of_files

MARKS = 20  # between the beginning and the end
SPAN = 5  # steps between two looks of who watches


def run_mixture(
    request: MixtureRequest, find: Callable[[str], Task] = task, watch: Watch | None = None
) -> MixtureResult:  # fmt: skip
    """Train a mixture and shrink it.

    Args:
        request: what to train.
        find: gives the task of a name.
        watch: looks on; no result depends on it.

    Returns:
        What came of it; a loss that is not finite ends it without an expression.

    Raises:
        TaskError: the task is unknown, or no mixture can be trained on it.
        EvaluationError: the device is not here, or a function of one number does not fit the task's places.
        UserFileError: a file that is named is missing here, or is another one.
    """
    register_of_files(request.operators)
    request.backend.check()
    started = time.perf_counter()
    course = _Course(MixtureTraining(under(find(request.task), request.conditions), request), started)
    reason = course.to_the_end(watch)
    cell = course.training.cell
    return MixtureResult(
        expression="" if reason else expression_of(request.space, cell.chosen).text,
        reason=reason,
        slots=request.space.slots,
        marks=tuple(course.marks),
        dropped=tuple(course.dropped),
        steps=course.steps,
        seconds={request.task: round(time.perf_counter() - started, 3)},
    )


class _Course:
    """A training with what is noted on its way."""

    def __init__(self, training: MixtureTraining, started: float) -> None:
        self.training, self.started = training, started
        self.settings, self.space = training.request.settings, training.request.space
        self.due = list(drop_steps(self.settings, training.cell.drops))
        self.marks: list[Mark] = [Mark(0, mean_weights(training.cell, self.space), math.nan, math.nan)]
        self.dropped: list[Dropped] = []
        self.steps = 0
        self._losses: list[tuple[float, float]] = []

    def to_the_end(self, watch: Watch | None) -> str:
        """Take all steps; why it failed, or ""."""
        every = max(1, self.settings.steps // MARKS)
        for step in range(self.settings.steps):
            if step == self.settings.warm_steps:
                self.training.warmed()
            self._drop(step)
            losses = self.training.step()
            self._losses.append(losses)
            self.steps += 1 + self.training.mixing
            if not math.isfinite(losses[0]) or (self.training.mixing and not math.isfinite(losses[1])):
                return f"a loss that is not finite in step {step + 1} of {self.settings.steps}"
            if (step + 1) % every == 0 or step + 1 == self.settings.steps:
                self._mark(step + 1)
            if watch and not step % SPAN:
                watch.stepped()
        return ""

    def _drop(self, step: int) -> None:
        """Drop what is due before a step."""
        cell = self.training.cell
        while self.due and self.due[0] <= step:
            self.due.pop(0)
            slot, number = next_drop(cell.alphas_left())
            cell.drop(slot, number)
            seconds = round(time.perf_counter() - self.started, 3)
            self.dropped.append(Dropped(step, slot, self.space.slots[slot][number], seconds))

    def _mark(self, step: int) -> None:
        rows, self._losses = self._losses, []
        weights = mean_weights(self.training.cell, self.space)
        self.marks.append(Mark(step, weights, _mean([loss for loss, _ in rows]), _mean([loss for _, loss in rows])))


@torch.no_grad()
def mean_weights(cell: Cell, space: Space) -> tuple[tuple[float, ...], ...]:
    """For each slot the mean weight of each rule, 0 for one that was dropped."""
    cell.drawing = False
    rows = []
    for slot, rules in enumerate(space.slots):
        by_number = dict(zip(cell.alive[slot], cell.weights(slot).tolist(), strict=True))
        rows.append(tuple(by_number.get(number, 0.0) for number in range(len(rules))))
    cell.drawing = True
    return tuple(rows)


def _mean(values: Sequence[float]) -> float:
    """Of those that are there; NaN where none is."""
    there = [value for value in values if not math.isnan(value)]
    return sum(there) / len(there) if there else math.nan
