"""A recipe: optimiser, learning rate and schedule, by which a network is trained instead of by the task's own."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

from evaluators.errors import TaskError
from evaluators.tasks.base import Task
from evaluators.tasks.optimisers import Optimiser
from evaluators.training.schedules import RateSchedule


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained; batches, clip and what else a task sets stay the task's.

    Args:
        optimiser: with its weight decay.
        rate: the learning rate.
        schedule: of the rate.
    """

    optimiser: Optimiser
    rate: float
    schedule: RateSchedule


def trained_by(task: Task, recipe: Recipe | None) -> Task:
    """The task with a recipe in place of its own optimiser, rates and schedule; itself where there is none.

    Raises:
        TaskError: one of them is a property, which has no other value.
    """
    if recipe is None:
        return task
    changed = copy(task)
    settings = {"optimiser": recipe.optimiser, "schedule": recipe.schedule, "learning_rates": (recipe.rate,)}
    for name, value in settings.items():
        try:
            setattr(changed, name, value)
        except AttributeError:
            raise TaskError(
                f"task {task.name!r}: {name}: expected an attribute, in whose place a recipe can be put, got a property"
            ) from None
    return changed
