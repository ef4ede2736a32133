"""Analogue noise: what a network loses on hardware that computes with currents or light."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from evaluators.objectives.measured import MeasuredObjective, loss_with
from evaluators.objectives.precision.levels import to_levels
from evaluators.seeds import torch_generator
from evaluators.training.models import Models
from evaluators.training.stacking.activation_slot import After

LEVELS = 3  # on either side of zero: two bits
LEAKAGE = 0.1  # the probability that noise carries a value into the next level


def deviation(levels: int, leakage: float) -> float:
    """Of normal noise that carries a value over half a step with a probability, as a share of the largest value.

    It is 1 / (2 sqrt(2) p erfinv(1 - leakage)) for p levels on either side of zero, a step apart from each other.
    """
    return 1.0 / (
        2.0 * math.sqrt(2.0) * levels * float(torch.special.erfinv(torch.tensor(1.0 - leakage, device="cpu")))
    )


class AnalogueNoise(MeasuredObjective):
    """Loss with every activation rounded to one of 7 levels, evenly from minus the layer's largest |a| to plus it, and
    normal noise added, of a tenth of that: it carries one in ten into another level. Weights stay.

    The noise of a seed is the same for all candidates.
    """

    name = "analogue_noise"
    unit = "nats"
    direction = "maximize"
    formula = (
        "log(loss of the reference / loss of the candidate), activations rounded to 7 levels, with normal noise of "
        "m/(6 sqrt(2) erfinv(.9)), m the layer's largest |a|"
    )
    source = "Shah and Youngblood 2024, arXiv:2402.02593"
    relative = True

    def measure(self, models: Models) -> Tensor:
        return loss_with(models, disturbance)


def disturbance(models: Models) -> After:
    generators = [torch_generator(models.seeds[index], "analogue") for index in models.seed.tolist()]
    spread = deviation(LEVELS, LEAKAGE)

    def disturbed(_: Tensor, output: Tensor) -> Tensor:
        rows = [torch.randn(output.shape[1:], generator=generator, device="cpu") for generator in generators]
        noise = models.backend.place(torch.stack(rows)).to(output.dtype)
        rounded, largest = to_levels(output, LEVELS)
        return rounded + spread * largest * noise

    return disturbed
