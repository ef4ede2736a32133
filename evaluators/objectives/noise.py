"""Noise: what a network loses when its activations are rounded."""

from __future__ import annotations

from torch import Tensor

from evaluators.objectives.measured import MeasuredObjective, loss_with
from evaluators.objectives.precision.levels import to_levels
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
        return loss_with(models, lambda _: _rounded)


def _rounded(_: Tensor, output: Tensor) -> Tensor:
    return to_levels(output, LEVELS)[0]
