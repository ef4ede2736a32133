"""The conditions of a comparison: what the network's weights begin as, and what scale a candidate has."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import Literal, get_args

from evaluators.errors import TaskError
from evaluators.tasks.base import Task
from primitives.errors import nearest
from primitives.quoting import quoted

#: ``"own"``: as ``network()`` makes them under the model's seed; ``"drawn"``: drawn anew, see
#: :func:`evaluators.training.initialisation.initial_network`.
Initial = Literal["own", "drawn"]
#: ``"none"``: the candidate as it is; ``"unit"``: divided by sqrt(E f(z)^2) for a standard normal z; ``"critical"``:
#: f(s x) divided likewise, s as :func:`primitives.analysis.critical.critical_scale` says.
Scale = Literal["none", "unit", "critical"]
INITIALS: tuple[str, ...] = get_args(Initial)
SCALES: tuple[str, ...] = get_args(Scale)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a job asks for, or what a task has.

    Args:
        initial: what the weights begin as; None for the task's own.
        scale: of the candidate; None for the task's own.
    """

    initial: str | None = None
    scale: str | None = None


OWN = Conditions()


def under(task: Task, asked: Conditions) -> Task:
    """The task under the conditions that are asked for; itself where nothing is."""
    changes = {"initial": asked.initial, "scale": asked.scale}
    wanted = {name: value for name, value in changes.items() if value is not None}
    if not wanted:
        return task
    changed = copy(task)
    for name, value in wanted.items():
        setattr(changed, name, value)
    return changed


def conditions_of(task: Task) -> Conditions:
    """The conditions that a task has.

    Raises:
        TaskError: one of them is unknown; the message names the nearest one.
    """
    check_word(task, "initial", task.initial, INITIALS)
    check_word(task, "scale", task.scale, SCALES)
    return Conditions(task.initial, task.scale)


def common_scale(scales: Iterable[str | None]) -> str:
    """The scale that functions are told apart, described and exported by, where several tasks have theirs.

    ``"none"`` where one has it, since a factor makes another function there; ``"critical"`` where all have it.
    """
    found = {*scales}
    return "none" if "none" in found else "critical" if found == {"critical"} else "unit"


def check_word(task: Task, setting: str, value: str, known: Iterable[str]) -> None:
    """Refuse a setting that is none of some words.

    Raises:
        TaskError: the message names the task, the setting and the nearest word.
    """
    if value not in known:
        raise TaskError(
            f"task {quoted(task.name)}: {setting}: expected {' or '.join(map(repr, known))}, got {quoted(value)}"
            f"{nearest(value, known)}"
        )
