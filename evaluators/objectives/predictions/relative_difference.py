"""Relative prediction difference: how large the differences between seeds are beside the predictions themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from evaluators.objectives.measured import MeasuredObjective
from evaluators.objectives.predictions.looks import check_classes, shared_outputs
from evaluators.training.models import Models


class RelativeDifference(MeasuredObjective):
    """Mean over models, validation examples and classes of |p - q| / q, q the mean of the models' probabilities p.

    Improbable classes count as much as probable ones; of M models no class has more than 2 (1 - 1/M).
    """

    name = "relative_difference"
    unit = "share"
    direction = "minimize"
    formula = "mean over models, examples and classes of |p - q| / q, q the mean of p over the models"
    source = "Shamir and Coviello 2020, arXiv:2010.09923"
    fewest_seeds = 2
    one_split = True

    def check(self, models: Models) -> None:
        check_classes(models, self.name)

    def measure(self, models: Models) -> Tensor:
        return relative(shared_outputs(models).softmax(dim=-1))


def relative(p: Tensor) -> Tensor:
    """Of probabilities, shape (models, examples, ..., classes); a class that no model gives any has no difference."""
    mean = p.mean(dim=0)
    return torch.where(mean == 0.0, 0.0, (p - mean).abs() / mean).mean()
