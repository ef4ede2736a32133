"""Accuracy: how many validation examples a network classifies right."""

from __future__ import annotations

import torch
from torch import Tensor

from evaluators.objectives.measured import MeasuredObjective
from evaluators.objectives.predictions.looks import READING, check_classes
from evaluators.training.models import Models


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
        check_classes(models, self.name)

    def measure(self, models: Models) -> Tensor:
        found = [of[READING] for of in models.readings("validation")]
        return torch.tensor(found, dtype=torch.float64, device="cpu").mean()
