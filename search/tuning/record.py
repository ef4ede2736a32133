"""Records of a tuning: what was searched, and what was chosen for each function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evaluators.tasks.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Space:
    """What is searched for each function.

    Args:
        trials: how many recipes are tried for each.
        seeds: of each trial, of the search's part of the data.
        optimisers, schedules: by the names that a task gives.
        learning_rates, weight_decay: smallest and largest; both are drawn by their logarithm.
    """

    trials: int
    seeds: int
    optimisers: tuple[str, ...]
    schedules: tuple[str, ...]
    learning_rates: tuple[float, float]
    weight_decay: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The best recipe that was found for a function on a task.

    Args:
        recipe: the first one tried where none had a finite value.
        value: of the trials, what is judged on validation examples, mean over the seeds; of losses the geometric mean;
            NaN where no trial had a finite one.
    """

    recipe: Recipe
    value: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """A function with its recipe on each task.

    Args:
        name: id of a finalist, or name of a control.
        expression: its text; "" for the network as it stands.
        by_task: by label.
    """

    name: str
    expression: str
    by_task: Mapping[str, Chosen]
