"""Recipes of a tuning: made of names and numbers, and put into words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evaluators.results.control_labels import label_of
from evaluators.tasks.optimisers import OPTIMISERS, SGD, Adam, Optimiser
from evaluators.tasks.recipe import Recipe
from evaluators.training.schedules import SCHEDULES, RateSchedule
from search.tuning.record import Tuned


def made(usual: Optimiser, decay: float, momentum: float) -> Optimiser:
    """An optimiser of the kind of another one, with a weight decay; the momentum is that of SGD."""
    if isinstance(usual, SGD):
        return SGD(momentum=momentum, weight_decay=decay)
    kind: type[Adam] = type(usual)
    return kind(weight_decay=decay)


def optimiser_name(own: Optimiser) -> str:
    """The name that a task gives."""
    return next(name for name, usual in OPTIMISERS.items() if type(usual) is type(own))


def schedule_name(own: RateSchedule) -> str:
    """The name that a task gives."""
    return next(name for name, usual in SCHEDULES.items() if usual == own)


def in_words(recipe: Recipe) -> str:
    """As ``sgd, momentum 0.9, decay 0.0001, rate 0.03, cosine``."""
    own = recipe.optimiser
    momentum = [f"momentum {own.momentum:.2g}"] if isinstance(own, SGD) else []
    numbers = [*momentum, f"decay {own.weight_decay:.2g}", f"rate {recipe.rate:.2g}"]
    return ", ".join([optimiser_name(own), *numbers, schedule_name(recipe.schedule)])


@dataclass(frozen=True, slots=True)
class Row:
    """For tables: a function on a task.

    Args:
        function: the control's name for people, or the finalist's id.
        expression: its text; "" for the network as it stands.
        task: its label.
        recipe: in words.
        value: see :class:`search.tuning.record.Chosen`.
    """

    function: str
    expression: str
    task: str
    recipe: str
    value: float


def tuned_rows(tuned: Iterable[Tuned]) -> list[Row]:
    """One row for each function and task."""
    return [
        Row(label_of(each.name), each.expression, task, in_words(chosen.recipe), chosen.value)
        for each in tuned
        for task, chosen in each.by_task.items()
    ]
