"""A try-out of a task: one step of training on each part, so that faults show before anything is written."""

from __future__ import annotations

import hashlib
import sys

import torch

from evaluators.errors import TaskError
from evaluators.tasks.base import BLOCK, Part, Task
from evaluators.tasks.checks import check_floor, check_network, has_current
from evaluators.tasks.data_checks import check_finite, check_labels, check_losses
from evaluators.tasks.loop_task import LoopTask
from evaluators.tasks.makings import buffers_of, check_makings, check_steady
from evaluators.training.initialisation import initial_network
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.train import train
from primitives.errors import ActsearchError
from primitives.expression.parsing import parse
from primitives.user_file import blame

_FORMULAS = ("relu(x)", "x*sigmoid(beta*x); beta=1.0:channel")


def try_out(task: Task) -> None:
    """Train two functions, and the network as it stands, for one step on both parts.

    The second part is trained with the larger network if there is one.

    Raises:
        TaskError: something is wrong with the task's settings, data, network, loss or loop; where it fails in the
            file of the task's class, the message names file and line.
    """
    standing = [None] if has_current(task) else []
    tried = [*standing, *map(parse, _FORMULAS)]
    members = [CohortMember(expression, (0,), protected=True) for expression in tried]
    try:
        with torch.random.fork_rng(devices=[]):
            if not isinstance(task, LoopTask):
                _check_parts(task)
            pairs: list[tuple[Part, Task]] = [("search", task), ("confirmation", task.larger() or task)]
            for part, each in pairs:
                check_floor(each)
                if not isinstance(each, LoopTask):
                    check_finite(each, part)
                    check_makings(each)
                    _check_outputs(each, part)
                train(each, part, members, Schedule(1, (), each.learning_rates[:1]))
    except ActsearchError:
        raise
    except Exception as error:
        file = getattr(sys.modules.get(type(task).__module__), "__file__", None)
        raise TaskError(f"task {task.name!r} fails: {blame(error, file)}") from error


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


def _check_outputs(task: Task, part: Part) -> None:
    """Refuse what the untrained network shows to be wrong: buffers that change, labels, losses."""
    network = initial_network(task, 0)
    check_network(task, network)
    before = buffers_of(network)
    output = network(task.data(part)[0][:BLOCK].clone()).detach()  # an activation may write into its input
    check_steady(task, before, network)
    check_labels(task, part, output)
    check_losses(task, part, output)
