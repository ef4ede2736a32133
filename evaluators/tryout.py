"""A task tried out: one step of every kind, so that what cannot work is refused before anything is written."""

from __future__ import annotations

import sys

from evaluators.errors import TaskError
from evaluators.member import Member, Schedule
from evaluators.task import Task
from evaluators.tasks.user_file import blame
from evaluators.training import train
from primitives.errors import ActsearchError
from primitives.text import parse

_FORMULAS = ("relu(x)", "x*sigmoid(beta*x); beta=1.0:channel")


def try_out(task: Task) -> None:
    """Train two functions for one step on both parts, and with the larger network.

    Raises:
        TaskError: something is wrong with the task's settings, data, network, loss or loop; where it fails in the
            file of the task's class, the message names file and line.
    """
    try:
        for part, each in (("search", task), ("confirmation", task.larger() or task)):
            members = [Member(parse(text), (0,), protected=True) for text in _FORMULAS]
            train(each, part, members, Schedule(1, (), each.learning_rates[:1]))
    except ActsearchError:
        raise
    except Exception as error:
        raise TaskError(f"task {task.name!r} fails: {blame(error, sys.modules.get(type(task).__module__))}") from error
