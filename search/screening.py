"""Screening for a job: what the screens must know of its tasks."""

from __future__ import annotations

from functools import lru_cache

from evaluators.places.axes import axes_of_places
from evaluators.rejection.screens import screen
from evaluators.results.reasons import Reason
from evaluators.tasks import task
from evaluators.tasks.conditions import Conditions, under
from primitives.expression.expression import Expression
from primitives.operators.axes import ALL_AXES
from search.config import Config


def screened(expression: Expression, config: Config) -> Reason | None:
    """The first screen that a candidate of a job fails, or None.

    For layers with statistics and gates the tasks' networks are looked at, once a process.

    Raises:
        TaskError: a task's network has no places, or fails.
    """
    if all(part.is_pointwise for part in expression.parts):
        return screen(expression)
    axes = 0
    for name, conditions in zip(config.tasks, config.conditions, strict=True):
        axes |= _axes(name, conditions)
    return screen(expression, axes or ALL_AXES)


@lru_cache(maxsize=64)
def _axes(name: str, conditions: Conditions) -> int:
    return axes_of_places(under(task(name), conditions))
