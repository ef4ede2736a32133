"""Reproducibility: how much models that differ in the seed alone differ in what they predict."""

from __future__ import annotations

import torch
from torch import Tensor

from evaluators.objectives.measured import MeasuredObjective
from evaluators.objectives.predictions.looks import shared_outputs
from evaluators.tasks.examples import tensors
from evaluators.training.models import Models


class Reproducibility(MeasuredObjective):
    """How much the models of the seeds differ in what they predict, on the validation examples that all share.

    Where targets are classes, the total variation distance of a model's probabilities from their mean over the models,
    averaged; else the share of the variance of the predictions, over models and examples, that lies between the
    models.
    """

    name = "reproducibility"
    unit = "share"
    direction = "minimize"
    formula = (
        "total variation of the seeds' predictions from their mean; "
        "without classes: share of the predictions' variance between seeds"
    )
    source = "Shamir et al. 2020, arXiv:2010.09931"
    fewest_seeds = 2
    one_split = True

    def measure(self, models: Models) -> Tensor:
        outputs = shared_outputs(models)
        classes = all(not target.is_floating_point() for target in tensors(models.examples.targets))
        return variation(outputs.softmax(dim=-1)) if classes else between(outputs)


def variation(p: Tensor) -> Tensor:
    """Mean total variation distance from the mean over models; shape (models, examples, ..., classes)."""
    return 0.5 * (p - p.mean(dim=0)).abs().sum(dim=-1).mean()


def between(outputs: Tensor) -> Tensor:
    """Share of the variance of predictions that is between models; shape (models, examples, ...)."""
    values = outputs.flatten(2) if outputs.dim() > 2 else outputs[..., None]
    apart = (values - values.mean(dim=0)).square().mean()
    total = (values - values.mean(dim=(0, 1))).square().mean()
    rounding = torch.finfo(torch.float32).eps ** 2 * values.square().mean()  # a share of this noise means nothing
    return torch.where(total <= rounding, torch.zeros_like(total), apart / total)
