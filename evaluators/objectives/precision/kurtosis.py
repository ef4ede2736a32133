"""Kurtosis: whether a few activations are far larger than the others."""

from __future__ import annotations

from torch import Tensor

from evaluators.objectives.measured import MeasuredObjective, mean_of_activations
from evaluators.training.models import Models


class Kurtosis(MeasuredObjective):
    """Fourth moment of a layer's activations about their mean, over the square of the second: 3 for a normal
    distribution, the larger the farther the outliers, which take the levels of few bits from all others.

    Measured on trained networks, where outliers arise, and not for normal inputs. Activations that are all the same
    have none.
    """

    name = "kurtosis"
    unit = "ratio"
    direction = "minimize"
    formula = "E (a - E a)^4 / (E (a - E a)^2)^2 of the activations of a layer, mean over layers"
    source = "outliers and few bits: Bondarenko et al. 2023, arXiv:2306.12929"

    def measure(self, models: Models) -> Tensor:
        return mean_of_activations(models, _of_layer)


def _of_layer(_: Tensor, output: Tensor) -> Tensor:
    values = output.flatten(1).double()
    squares = (values - values.mean(dim=1, keepdim=True)).square()
    return squares.square().mean(dim=1) / squares.mean(dim=1).square()
