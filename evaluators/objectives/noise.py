"""Noise: what a network loses when its activations are rounded."""

from __future__ import annotations

import torch
from torch import Tensor

from evaluators.objectives.measured import MeasuredObjective, examples, mean_loss
from evaluators.training.models import Models

LEVELS = 7  # 2^3 - 1 on either side of zero, and zero: 15 in all


class Noise(MeasuredObjective):
    """Loss with every activation rounded to one of 15 levels, evenly from minus the layer's largest |a| to plus it."""

    name = "noise"
    unit = "nats"
    direction = "maximize"
    formula = "log(loss of the reference / loss of the candidate), activations rounded to 15 levels"
    source = "Shah and Youngblood 2024, arXiv:2402.02593"
    relative = True

    def measure(self, models: Models) -> Tensor:
        few = models.at(examples(models))
        with torch.no_grad(), models.altered(_rounded):
            losses = models.judged(models.outputs(few.inputs), few.targets)
        return mean_loss(models, losses)


def _rounded(_: Tensor, output: Tensor) -> Tensor:
    step = output.flatten(1).abs().amax(dim=1).div(LEVELS).clamp_min(torch.finfo(output.dtype).tiny)
    step = step.view(-1, *[1] * (output.dim() - 1))
    return torch.round(output / step) * step
