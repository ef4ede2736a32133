"""A try-out of a task: one step of training on each part, so that faults show before anything is written."""

from __future__ import annotations

import hashlib
import sys

import torch

from evaluators.errors import TaskError
from evaluators.tasks.base import BLOCK, Part, Task
from evaluators.tasks.checks import check_floor, check_network
from evaluators.tasks.loop_task import LoopTask
from evaluators.tasks.user_file import blame
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.train import train
from primitives.errors import ActsearchError
from primitives.expression.parsing import parse

_FORMULAS = ("relu(x)", "x*sigmoid(beta*x); beta=1.0:channel")


def try_out(task: Task) -> None:
    """Train two functions for one step on both parts, the second with the larger network if there is one.

    Raises:
        TaskError: something is wrong with the task's settings, data, network, loss or loop; where it fails in the
            file of the task's class, the message names file and line.
    """
    members = [CohortMember(parse(text), (0,), protected=True) for text in _FORMULAS]
    try:
        with torch.random.fork_rng(devices=[]):
            if not isinstance(task, LoopTask):
                _check_parts(task)
            pairs: list[tuple[Part, Task]] = [("search", task), ("confirmation", task.larger() or task)]
            for part, each in pairs:
                check_floor(each)
                if not isinstance(each, LoopTask):
                    _check_shapes(each, part)
                train(each, part, members, Schedule(1, (), each.learning_rates[:1]))
    except ActsearchError:
        raise
    except Exception as error:
        raise TaskError(f"task {task.name!r} fails: {blame(error, sys.modules.get(type(task).__module__))}") from error


def _check_parts(task: Task) -> None:
    """Refuse parts that have examples in common."""
    shared = _digests(task, "search") & _digests(task, "confirmation")
    if shared:
        raise TaskError(
            f"task {task.name!r}: data: expected parts without a common example, but {len(shared)} of the confirmation "
            "are in the search too"
        )


def _digests(task: Task, part: Part) -> set[bytes]:
    x, y = (tensor.detach().cpu().contiguous() for tensor in task.data(part))
    if len(x) != len(y):
        raise TaskError(f"task {task.name!r}: data: expected a target for each of {len(x)} inputs, got {len(y)}")
    rows = zip(x.numpy(), y.numpy(), strict=True)
    return {hashlib.blake2b(a.tobytes() + b.tobytes(), digest_size=16).digest() for a, b in rows}


def _check_shapes(task: Task, part: Part) -> None:
    """Refuse a loss that is not one number for each example."""
    network = task.network()
    check_network(task, network)
    x, y = (tensor[:BLOCK] for tensor in task.data(part))
    shape = tuple(task.loss(network(x), y).shape)
    if shape != (len(x),):
        raise TaskError(
            f"task {task.name!r}: loss: expected one number for each of {len(x)} examples, shape ({len(x)},), "
            f"got shape {shape}; a mean is taken later"
        )
