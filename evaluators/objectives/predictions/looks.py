"""Looks at what the models of one candidate predict on validation examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from evaluators.errors import TaskError
from evaluators.objectives.measured import EXAMPLES, examples
from evaluators.tasks.examples import tensors
from evaluators.training.models import Models

READING = "accuracy"


def check_classes(models: Models, name: str) -> None:
    """Refuse an objective of classes where the task has none.

    Raises:
        TaskError: the task has no accuracy among its readings; the message names the objective and its readings.
    """
    found = models.readings("validation")[0]
    if READING not in found:
        has = ", ".join(found) or "none"
        raise TaskError(
            f"task {models.task.name!r}: {name}: expected a task with a reading {READING!r}, as those of classes have; "
            f"its readings: {has}"
        )


def on_validation(models: Models, look: Callable[[Tensor, Any], Tensor]) -> Tensor:
    """What ``look`` gives of outputs, float64, and targets of all validation examples, both (models, examples, ...)."""
    found = []
    with torch.no_grad():
        for index in models.splits.validation[models.seed].split(EXAMPLES, dim=1):
            few = models.at(index)
            found.append(look(_first(models.outputs(few.inputs)), few.targets))
    return torch.cat(found, dim=1)


def shared_outputs(models: Models) -> Tensor:
    """Outputs for the first validation examples, the same of every model; shape (models, examples, ...), float64."""
    with torch.no_grad():
        return _first(models.outputs(models.at(examples(models)).inputs))


def _first(outputs: Any) -> Tensor:
    return tensors(outputs)[0].double()
