"""Accuracy: how many validation examples a network classifies right."""

from __future__ import annotations

import torch
from torch import Tensor

from evaluators.errors import TaskError
from evaluators.objectives.measured import MeasuredObjective
from evaluators.training.models import Models

_READING = "accuracy"


class Accuracy(MeasuredObjective):
    """Share of all validation examples whose largest output is the label's; SAFS climbs by 1 over it.

    It is the task's reading of that name, of the models at the learning rate that is best by loss.
    """

    name = "accuracy"
    unit = "share"
    direction = "maximize"
    formula = "share of validation examples whose largest output is the label's"
    source = "the inverse of the energy of Loni et al. 2023, arXiv:2305.10964"

    def check(self, models: Models) -> None:
        found = models.readings("validation")[0]
        if _READING not in found:
            has = ", ".join(found) or "none"
            raise TaskError(
                f"task {models.task.name!r}: accuracy: expected a task with a reading of that name, as those of "
                f"classes have; its readings: {has}"
            )

    def measure(self, models: Models) -> Tensor:
        found = [of[_READING] for of in models.readings("validation")]
        return torch.tensor(found, dtype=torch.float64, device="cpu").mean()
