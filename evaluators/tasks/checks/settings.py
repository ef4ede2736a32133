"""Refusals: settings of a task that mean nothing, and networks of which nothing can be trained."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn
from torch.nn.parameter import UninitializedParameter

from evaluators.errors import TaskError
from evaluators.results.control_labels import CURRENT, RELU
from evaluators.tasks.base import BLOCK, Task
from evaluators.tasks.checks.privacy import check_private
from evaluators.tasks.conditions import conditions_of
from evaluators.tasks.optimisers import OPTIMISERS, Optimiser
from evaluators.training.schedules import SCHEDULES, RateSchedule, schedule_named
from primitives.errors import nearest


def check_settings(task: Task) -> None:
    """Refuse settings that mean nothing.

    Raises:
        TaskError: the message names the task, the setting, what was expected and the nearest valid value.
    """
    conditions_of(task)
    _check_choice(task, "optimiser", OPTIMISERS)
    _check_choice(task, "schedule", SCHEDULES)
    _check_loss_options(task)
    check_private(task)
    if not 0 <= task.test_ratio < math.inf:
        raise TaskError(
            f"task {task.name!r}: test_ratio: expected test examples / training examples, a number from 0 on, got "
            f"{task.test_ratio}"
        )
    if task.clip is not None and not task.clip > 0:
        raise TaskError(f"task {task.name!r}: clip: expected a positive number, or None for no clip, got {task.clip}")
    if not isinstance(task.accumulate, int) or task.accumulate < 1:
        raise TaskError(
            f"task {task.name!r}: accumulate: expected a whole number of batches per step, got {task.accumulate}; "
            f"the nearest is {max(1, round(task.accumulate))}"
        )
    if task.batch_size < BLOCK or task.batch_size % BLOCK:
        near = max(1, round(task.batch_size / BLOCK)) * BLOCK
        raise TaskError(
            f"task {task.name!r}: batch_size: expected a multiple of {BLOCK}, got {task.batch_size}; "
            f"the nearest is {near}"
        )


def has_current(task: Task) -> bool:
    """True if candidates are compared with the task's network as it stands, not with ReLU.

    Raises:
        TaskError: ``reference`` is neither; the message names the task and the nearest valid value.
    """
    if task.reference not in (CURRENT, RELU):
        raise TaskError(
            f"task {task.name!r}: reference: expected {CURRENT!r} or {RELU!r}, got {task.reference!r}"
            f"{nearest(task.reference, (CURRENT, RELU))}"
        )
    return task.reference == CURRENT


def check_floor(task: Task) -> None:
    """Refuse a floor under which a loss of 0 would stay 0: gains are logarithms of ratios of losses.

    Raises:
        TaskError: the message names the task.
    """
    if not 0 < task.loss_floor < math.inf:
        raise TaskError(f"task {task.name!r}: loss_floor: expected a positive number, got {task.loss_floor}")


def check_warmup(task: Task, steps: int) -> None:
    """Refuse a warm-up that a training of some steps would not see the end of.

    Raises:
        TaskError: the message names the longest one.
    """
    warmup = getattr(schedule_named(task.schedule), "warmup", 0)
    if warmup >= steps:
        raise TaskError(
            f"task {task.name!r}: schedule: expected a warm-up that is shorter than the training of {steps} steps, got "
            f"{warmup} steps; the longest is {steps - 1}, and a share of them, as warmup=0.1, fits any training"
        )


def _check_choice(task: Task, setting: str, known: Mapping[str, Optimiser | RateSchedule]) -> None:
    """Refuse what is neither a name nor settings, and settings that mean nothing."""
    value, kinds = getattr(task, setting), tuple(type(each) for each in known.values())
    if isinstance(value, kinds):
        if fault := value.fault():
            raise TaskError(f"task {task.name!r}: {setting}: {fault}")
    elif not isinstance(value, str):
        examples = ", ".join(f"{kind.__name__}()" for kind in kinds)
        raise TaskError(
            f"task {task.name!r}: {setting}: expected a name ({', '.join(known)}) or settings out of evaluators "
            f"({examples}), got {value!r}"
        )
    elif value not in known:
        raise TaskError(
            f"task {task.name!r}: unknown {setting} {value!r}{nearest(value, known)}; available: {', '.join(known)}"
        )


def _check_loss_options(task: Task) -> None:
    if not 0 <= task.label_smoothing < 1:
        raise TaskError(
            f"task {task.name!r}: label_smoothing: expected a number from 0 to below 1, got {task.label_smoothing}"
        )
    weights = task.class_weights
    if weights is not None and not (all(0 <= weight < math.inf for weight in weights) and any(weights)):
        raise TaskError(
            f"task {task.name!r}: class_weights: expected numbers from 0 on, not all 0, one for each class, "
            f"got {list(weights)}"
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
