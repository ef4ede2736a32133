"""Objectives measured on the trained models of one candidate: one model a seed, at its best learning rate.

They are taken from a stack of these models alone, so that no number depends on the stack in which they were trained.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from evaluators.comparison import comparison_of
from evaluators.errors import TaskError
from evaluators.objectives.objective import Objective, Trained
from evaluators.tasks.examples import tensors
from evaluators.training.models import Models
from evaluators.training.stacking.activation_slot import After

EXAMPLES = 256  # at most, of each seed's validation examples


class MeasuredObjective(Objective):
    """What a cohort measures at the end of training; the mean over the tasks.

    Attributes:
        fewest_seeds: without which there is no number.
        one_split: the models of several seeds are compared, so a cohort that measures it divides the examples of a
            task once for all models; their weights and batches still differ by seed.
        relative: the measure is a loss, of which the objective is the gain over the reference's: log(the
            reference's / the candidate's), or for a task that compares by difference, the reference's less the
            candidate's.
    """

    kind = "measured"
    fewest_seeds: ClassVar[int] = 1
    one_split: ClassVar[bool] = False
    relative: ClassVar[bool] = False

    @abstractmethod
    def measure(self, models: Models) -> Tensor:
        """The number of the models of one candidate, without a dimension; the mean over the seeds, not always finite.

        A loss is raised to the task's ``loss_floor``, see :func:`mean_loss`.
        """

    def check(self, models: Models) -> None:
        """Refuse what cannot be measured, before anything is trained; by default nothing.

        Raises:
            TaskError: names the task, the objective, what was expected and what came.
        """

    def value(self, trained: Trained) -> float:
        values = [trained.row.measured[task][self.name] for task in trained.tasks]
        if self.relative:
            values = [self._gain(trained, task, value) for task, value in zip(trained.tasks, values, strict=True)]
        return sum(values) / len(values)

    def _gain(self, trained: Trained, task: str, value: float) -> float:
        """Of a loss over the reference's."""
        row = trained.reference
        reference = np.array(row.measured[task][self.name])
        return float(row.comparison(task).of_losses.gain(np.array(value), reference))


def check_measured(objectives: Sequence[MeasuredObjective], models: Models) -> None:
    """Refuse what cannot be measured, before anything is trained.

    Raises:
        TaskError: there are too few seeds, or seeds that divide the examples each in its own way where one split is
            needed, or see :meth:`MeasuredObjective.check`.
    """
    seeds = min(len(member.seeds) for member in models.members)
    for objective in objectives:
        place = f"task {models.task.name!r}: {objective.name}"
        if objective.one_split and models.task.split_seed is None:
            raise TaskError(f"{place}: expected one split for all seeds, as with_one_split(task, 0) gives; got none")
        if seeds < objective.fewest_seeds:
            raise TaskError(f"{place}: expected at least {objective.fewest_seeds} seeds, got {seeds}")
        objective.check(models)


def measure(models: Models, objectives: Sequence[MeasuredObjective]) -> dict[str, float]:
    """The objectives of the models of one candidate by name; means over the seeds, not always finite."""
    return {objective.name: float(objective.measure(models)) for objective in objectives}


def examples(models: Models) -> Tensor:
    """Indices of the validation examples of each slice, shape (slices, at most 256)."""
    return models.splits.validation[models.seed][:, :EXAMPLES]


def mean_loss(models: Models, losses: Tensor) -> Tensor:
    """Mean over examples, then over seeds as gains are: of a ratio raised to the floor, by the logarithm."""
    return comparison_of(models.task).mean_of_seeds(losses.double().mean(dim=1))


def loss_with(models: Models, disturbance: Callable[[Models], After]) -> Tensor:
    """:func:`mean_loss` of the models of one candidate where something disturbs their activations.

    Args:
        models: of one candidate.
        disturbance: given the models whose activations it will see together, gives what disturbs them: given the inputs
            and the outputs of an activation, both of shape (models, ...), what goes on.
    """
    return mean_loss(models, torch.cat([_losses(part, disturbance(part)) for part in models.parts()]))


@torch.no_grad()
def _losses(models: Models, after: After) -> Tensor:
    few = models.at(examples(models))
    with models.altered(after):
        return models.judged(models.outputs(few.inputs), few.targets)


def mean_of_activations(models: Models, look: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
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

    with torch.no_grad(), models.altered(note):
        output = models.outputs(models.at(examples(models)).inputs)
    # no number of a network that is NaN means anything
    return torch.stack(numbers).mean() + sum(0.0 * each.double().mean() for each in tensors(output))
