"""Objectives measured on the trained models of one candidate: one model a seed, at its best learning rate.

They are taken from a stack of these models alone, so that no number depends on the stack in which they were trained.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor

from evaluators.errors import TaskError
from evaluators.objectives.objective import Objective, Trained
from evaluators.training.activation_slot import ActivationSlot, After
from evaluators.training.looks import Look
from evaluators.training.stack import Stack

EXAMPLES = 256  # at most, of each seed's validation examples


class MeasuredObjective(Objective):
    """What a cohort measures at the end of training; the mean over the tasks.

    Attributes:
        fewest_seeds: without which there is no number.
        relative: the measure is a loss, of which the objective is log(the reference's / the candidate's).
    """

    kind = "measured"
    fewest_seeds: ClassVar[int] = 1
    relative: ClassVar[bool] = False

    @abstractmethod
    def measure(self, models: Stack) -> Tensor:
        """The number of the models of one candidate, without a dimension; the mean over the seeds, not always finite.

        A loss is raised to the task's ``loss_floor``, see :func:`mean_loss`.
        """

    def check(self, models: Stack) -> None:
        """Refuse what cannot be measured, before anything is trained; by default nothing.

        Raises:
            TaskError: names the task, the objective, what was expected and what came.
        """

    def value(self, trained: Trained) -> float:
        values = [trained.row.measured[task][self.name] for task in trained.tasks]
        if self.relative:
            references = (trained.reference.measured[task][self.name] for task in trained.tasks)
            values = [math.log(reference / value) for reference, value in zip(references, values, strict=True)]
        return sum(values) / len(values)


def check_measured(objectives: Sequence[MeasuredObjective], models: Stack) -> None:
    """Refuse what cannot be measured, before anything is trained.

    Raises:
        TaskError: there are too few seeds, or see :meth:`MeasuredObjective.check`.
    """
    seeds = min(len(member.seeds) for member in models.members)
    for objective in objectives:
        if seeds < objective.fewest_seeds:
            place = f"task {models.task.name!r}: {objective.name}"
            raise TaskError(f"{place}: expected at least {objective.fewest_seeds} seeds, got {seeds}")
        objective.check(models)


def measure(models: Stack, objectives: Sequence[MeasuredObjective]) -> dict[str, float]:
    """The objectives of the models of one candidate by name; means over the seeds, not always finite."""
    return {objective.name: float(objective.measure(models)) for objective in objectives}


def examples(models: Stack) -> Tensor:
    """Indices of the validation examples of each slice, shape (slices, at most 256)."""
    return models.splits.validation[models.seed][:, :EXAMPLES]


def mean_loss(models: Stack, losses: Tensor) -> Tensor:
    """Mean over examples, raised to the floor, then over seeds by the logarithm, as gains are."""
    return losses.double().mean(dim=1).clamp_min(models.task.loss_floor).log().mean().exp()


@contextmanager
def altered(models: Stack, after: After) -> Iterator[None]:
    """Apply a function to the inputs and outputs of each activation; what it returns takes the outputs' place."""
    places: list[ActivationSlot | Look] = [*models.activations, *models.looks]
    for place in places:
        place.after = after
    try:
        yield
    finally:
        for place in places:
            place.after = None


def mean_of_activations(models: Stack, look: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The mean over layers and models of a number of each activation; NaN where the network's output is.

    Args:
        models: of one candidate.
        look: given the inputs and the outputs of an activation, both of shape (models, ...), gives the numbers of the
            models, shape (models,).
    """
    numbers: list[Tensor] = []

    def note(x: Tensor, output: Tensor) -> Tensor:
        numbers.append(look(x, output))
        return output

    with torch.no_grad(), altered(models, note):
        output = models.outputs(models.x[examples(models)])
    return (
        torch.stack(numbers).mean() + 0.0 * output.double().mean()
    )  # no number of a network that is NaN means anything
