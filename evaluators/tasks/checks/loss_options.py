"""The refusal of options of the default loss that a loss of the task's own leaves out."""

from __future__ import annotations

from copy import copy
from typing import Any

import torch
from torch import Tensor

from evaluators.errors import TaskError
from evaluators.tasks.base import BLOCK, Part, Task
from evaluators.tasks.examples import examples_of, mapped


@torch.no_grad()
def check_loss_options(task: Task, part: Part, output: Any) -> None:
    """Refuse ``label_smoothing`` and ``class_weights`` that change no loss.

    Args:
        task: with data and loss.
        part: of the data.
        output: of its network, for the first 32 examples.

    Raises:
        TaskError: the message names the options.
    """
    smoothed, weights = bool(task.label_smoothing), task.class_weights
    weighted = weights is not None and any(weight != 1 for weight in weights)
    if type(task).loss is Task.loss or not (smoothed or weighted):
        return
    without = copy(task)
    without.label_smoothing, without.class_weights = 0.0, None
    # a last layer that begins at zero gives even logits, which smoothing does not change
    uneven = mapped(_uneven, output)
    target = examples_of(task, part).rows(slice(BLOCK)).targets
    if torch.equal(task.loss(uneven, target), without.loss(uneven, target)):
        names = " and ".join(["label_smoothing"] * smoothed + ["class_weights"] * weighted)
        raise TaskError(
            f"task {task.name!r}: {names}: expected the default loss, but the task's own loss leaves that out; call "
            "super().loss(output, target) in it, or leave the option out"
        )


def _uneven(output: Tensor) -> Tensor:
    return output + torch.arange(output.numel(), device=output.device).view_as(output).sin()
