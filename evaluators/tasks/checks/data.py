"""Refusals of data and losses with which every candidate would come out as not finite, or as too good."""

from __future__ import annotations

from itertools import count
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

from evaluators.errors import TaskError
from evaluators.machine.backend import CPU
from evaluators.tasks.base import BLOCK, Inputs, Part, Task, split
from evaluators.tasks.examples import examples_of, mapped, tensors

IGNORED = -100  # torch's ignore_index: the loss is 0 there, and its mean leaves such a target out
_AT_ONCE = 32 * BLOCK  # examples whose losses are taken at once


def check_size(task: Task, part: Part) -> None:
    """Refuse a part that has too few examples to train with and to hold out.

    Raises:
        TaskError: the message names the part and how many it needs.
    """
    examples = examples_of(task, part)
    if examples.held_out:
        _check_held_out(task, part, len(examples) - examples.held_out, examples.held_out)
        return
    fewest = next(size for size in count(BLOCK) if len(split(size, part, 0).train) >= BLOCK)
    if (size := len(examples)) < fewest:
        held_out = "30 % validate" if part == "search" else "15 % validate and 15 % test"
        raise TaskError(
            f"task {task.name!r}: data: expected at least {fewest} examples in the {part}, of which {held_out} and "
            f"{BLOCK} or more train, got {size}"
        )


def _check_held_out(task: Task, part: Part, train: int, held_out: int) -> None:
    if train < BLOCK:
        raise TaskError(
            f"task {task.name!r}: data: expected at least {BLOCK} examples to train with in the {part}, got {train}"
        )
    if part == "confirmation" and held_out < 2:
        raise TaskError(
            f"task {task.name!r}: held_out: expected at least 2 examples in the confirmation, one half of which "
            f"validates and one tests, got {held_out}"
        )


def check_finite(task: Task, part: Part) -> None:
    """Refuse inputs and targets that are NaN or infinite in float32.

    Raises:
        TaskError: the message names the first example.
    """
    examples = examples_of(task, part)
    named = [("inputs", tensor) for tensor in tensors(examples.inputs)]
    for name, tensor in [*named, *(("targets", tensor) for tensor in tensors(examples.targets))]:
        rows = CPU.place(tensor.detach()).flatten(1) if tensor.dim() > 1 else CPU.place(tensor.detach())[:, None]
        bad = _first(~rows.isfinite().all(dim=1))
        if bad is not None:
            what = "NaN" if rows[bad].isnan().any() else "an infinite number, or one too large for float32,"
            train = len(examples) - examples.held_out
            method, at = ("data", bad) if bad < train else ("held_out", bad - train)
            raise TaskError(
                f"task {task.name!r}: {method}: expected finite {name}, but those of the {part} have {what} at example "
                f"{at}, counted from 0; leave such examples out or fill them in"
            )


def check_labels(task: Task, part: Part, output: Any) -> None:
    """Refuse labels that are no class of the logits; tasks with a loss of their own are left alone.

    Args:
        task: with data.
        part: of the data.
        output: of its network, for some examples.

    Raises:
        TaskError: the message names the smallest and the largest label, the number of classes and what to do.
    """
    if type(task).loss is not Task.loss:
        return
    y, classes = examples_of(task, part).targets, output.shape[-1]
    _check_label_form(task, y, output)
    low, high = int(y.min()), int(y.max())
    if low >= 0 and high < classes:
        return
    found = f"task {task.name!r}: data: expected labels from 0 to {classes - 1}, as the network has {classes} outputs"
    if (y == IGNORED).any():
        raise TaskError(
            f"{found}, but the {part} has {IGNORED}, torch's ignore_index, which the default loss does not leave out; "
            "leave these examples out, or write loss(output, target) with the weights that you mean"
        )
    raise TaskError(f"{found}, but those of the {part} go from {low} to {high}; {_remedy(low, high, classes)}")


def _check_label_form(task: Task, y: Inputs, output: Tensor) -> None:
    """Refuse targets that are no labels: of another type, or of another shape than the logits without the classes."""
    expected = f"task {task.name!r}: data: the default loss, cross-entropy, expected int64 labels"
    other = "write loss(output, target) for other targets"
    if not isinstance(y, Tensor):
        raise TaskError(f"{expected}, got a {type(y).__name__}; {other}")
    if y.dtype not in (torch.int64, torch.uint8):
        remedy = other if y.is_floating_point() else "targets.long() makes them"
        raise TaskError(f"{expected}, got {y.dtype}; {remedy}")
    wanted, got = ("examples", *output.shape[1:-1]), ("examples", *y.shape[1:])
    if wanted != got:
        one_hot = y.dim() == output.dim() and y.shape[-1] == output.shape[-1]
        remedy = "targets.argmax(-1) makes them of one-hot rows" if one_hot else other
        shapes = [f"({', '.join(map(str, shape))})" for shape in (wanted, got)]
        raise TaskError(f"{expected} of shape {shapes[0]}, as the logits have, got {shapes[1]}; {remedy}")


def _remedy(low: int, high: int, classes: int) -> str:
    if high - low < classes:
        return f"subtract {low} from each" if low > 0 else f"add {-low} to each"
    return f"the last layer needs {high + 1} outputs" if low >= 0 else "number them from 0"


@torch.no_grad()
def check_losses(task: Task, part: Part, output: Any) -> None:
    """Refuse a loss that is not one finite number for each example, whatever its target.

    Args:
        task: with data and loss.
        part: of the data.
        output: of its network, for the first 32 examples.

    Raises:
        TaskError: the message names the shape, or the first example and its target.
    """
    examples = examples_of(task, part)
    few = min(BLOCK, len(examples))
    shape = tuple(task.loss(output, examples.rows(slice(few)).targets).shape)
    if shape != (few,):
        raise TaskError(
            f"task {task.name!r}: loss: expected one number for each of {few} examples, shape "
            f"({few},), got shape {shape}; a mean is taken later"
        )
    for start in range(0, len(examples), _AT_ONCE):  # every target, beside an output of the right kind
        targets = examples.rows(slice(start, start + _AT_ONCE)).targets
        index = torch.arange(start, min(start + _AT_ONCE, len(examples))) % few
        losses = task.loss(mapped(itemgetter(index), output), targets)
        bad = _first(~losses.isfinite())
        if bad is not None:
            short = isinstance(targets, Tensor) and targets[bad].numel() <= BLOCK
            shown = f", whose target is {targets[bad].tolist()}" if short else ""
            raise TaskError(
                f"task {task.name!r}: loss: expected finite numbers, but it is {losses[bad].item()} for example "
                f"{start + bad} of the {part}{shown}, before any training"
            )


def _first(flags: Tensor) -> int | None:
    """Index of the first that is true."""
    return int(flags.int().argmax()) if flags.any() else None
