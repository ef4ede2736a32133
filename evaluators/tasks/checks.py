"""Refusals: settings of a task that mean nothing, and networks of which nothing can be trained."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import nn
from torch.nn.parameter import UninitializedParameter

from evaluators.errors import TaskError
from evaluators.tasks.base import BLOCK, Task
from evaluators.training.optimiser import OPTIMISERS
from evaluators.training.schedules import SCHEDULES
from primitives.errors import nearest


def check_settings(task: Task) -> None:
    """Refuse settings that mean nothing.

    Raises:
        TaskError: the message names the task, the setting, what was expected and the nearest valid value.
    """
    _check_name(task, "optimiser", task.optimiser, OPTIMISERS)
    _check_name(task, "schedule", task.schedule, SCHEDULES)
    if task.clip is not None and not task.clip > 0:
        raise TaskError(f"task {task.name!r}: clip: expected a positive number, or None for no clip, got {task.clip}")
    if task.batch_size < BLOCK or task.batch_size % BLOCK:
        near = max(1, round(task.batch_size / BLOCK)) * BLOCK
        raise TaskError(
            f"task {task.name!r}: batch_size: expected a multiple of {BLOCK}, got {task.batch_size}; "
            f"the nearest is {near}"
        )


def check_floor(task: Task) -> None:
    """Refuse a floor under which a loss of 0 would stay 0: gains are logarithms of ratios of losses.

    Raises:
        TaskError: the message names the task.
    """
    if not 0 < task.loss_floor < math.inf:
        raise TaskError(f"task {task.name!r}: loss_floor: expected a positive number, got {task.loss_floor}")


def _check_name(task: Task, setting: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise TaskError(
            f"task {task.name!r}: unknown {setting} {name!r}{nearest(name, known)}; available: {', '.join(known)}"
        )


def check_trained(task: Task, network: nn.Module) -> None:
    """Refuse a network of which nothing is trained, or whose parameters have no shape yet.

    Raises:
        TaskError: the message says what to do.
    """
    parameters = dict(network.named_parameters())
    lazy = [name for name, weight in parameters.items() if isinstance(weight, UninitializedParameter)]
    if lazy:
        raise TaskError(
            f"task {task.name!r}: network: {lazy[0]} has no shape before a first call (a lazy layer); call the network "
            "with a batch in network() before you return it, or give the layer its size"
        )
    if not any(weight.requires_grad for weight in parameters.values()):
        raise TaskError(
            f"task {task.name!r}: its network has no parameter to train: expected one with requires_grad=True"
        )
