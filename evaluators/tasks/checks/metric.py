"""Refusals of a task's metric and readings: how it is compared, and values with which a gain would mean nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

import torch
from torch import Tensor

from evaluators.comparison import has_metric
from evaluators.errors import TaskError
from evaluators.tasks.base import BLOCK, Compare, Direction, Part, Task
from evaluators.tasks.conditions import check_word
from evaluators.tasks.examples import examples_of
from evaluators.tasks.loop_task import LoopTask
from evaluators.training.member import Outcome


def check_comparison(task: Task) -> None:
    """Refuse settings of a comparison that mean nothing.

    Raises:
        TaskError: the message names the task, the setting, what was expected and the way out.
    """
    check_word(task, "direction", task.direction, get_args(Direction))
    check_word(task, "compare", task.compare, get_args(Compare))
    if task.direction == "maximise" and task.compare == "ratio":
        raise TaskError(
            f"task {task.name!r}: direction: 'maximise' cannot be compared by 'ratio', whose nats are those of a "
            "positive loss that shrinks; set compare = 'difference', or let metric() return a loss"
        )
    if task.gain_scale is not None and not (task.gain_scale > 0 and task.compare == "difference"):
        raise TaskError(
            f"task {task.name!r}: gain_scale: expected a positive number beside compare = 'difference', got "
            f"{task.gain_scale} beside {task.compare!r}"
        )


@torch.no_grad()
def check_metric(task: Task, part: Part, output: Any) -> None:
    """Refuse a metric, or readings, that are neither a number for each example nor one number.

    Args:
        task: with data, metric and readings.
        part: of the data.
        output: of its network, for the first 32 examples.

    Raises:
        TaskError: the message names the shape or the type.
    """
    few = examples_of(task, part).rows(slice(BLOCK))
    if has_metric(task):
        _check_number(task, "metric", task.metric(output, few.targets), len(few))
    readings: object = task.readings(output, few.targets)
    if not isinstance(readings, dict):
        raise TaskError(
            f"task {task.name!r}: readings: expected a dict, numbers by name, got a {type(readings).__name__}"
        )
    for name, value in readings.items():
        _check_number(task, f"readings: {name}", value, len(few))


def _check_number(task: Task, what: str, found: object, examples: int) -> None:
    shape = tuple(found.shape) if isinstance(found, Tensor) else None
    if shape not in ((), (examples,)):
        came = f"got a {type(found).__name__}" if shape is None else f"got shape {shape}"
        raise TaskError(
            f"task {task.name!r}: {what}: expected a tensor, one number for each of {examples} examples, shape "
            f"({examples},), or one without a dimension, {came}"
        )


def check_values(task: Task, outcomes: Iterable[Outcome]) -> None:
    """Refuse what a ratio cannot be made of, after a step of training.

    A loss of the stack may be 0, which counts as the floor; a loop's value and a metric may not.

    Raises:
        TaskError: the message names the value and the way out.
    """
    lowest_counts = not (has_metric(task) or isinstance(task, LoopTask))
    values = [value for each in outcomes for table in (*each.losses.values(), each.tests or []) for row in table
              for value in row]  # fmt: skip
    bad = [value for value in values if value < 0 or (value == 0 and not lowest_counts)]
    if bad and task.compare == "ratio":
        what = "the loop yields" if isinstance(task, LoopTask) else "metric" if has_metric(task) else "loss"
        raise TaskError(
            f"task {task.name!r}: {what}: expected values above 0, as gains are logarithms of ratios, got {min(bad):g} "
            "after one step; set compare = 'difference', and direction = 'maximise' where larger is better"
        )
