"""Sparsity: how many activations are near zero."""

from __future__ import annotations

from torch import Tensor

from evaluators.objectives.measured import MeasuredObjective, mean_of_activations
from evaluators.training.models import Models

NEAR_ZERO = 1e-3  # of the root mean square of a layer's activations


class Sparsity(MeasuredObjective):
    """Share of activations near zero: at most 1e-3 of their root mean square in that layer and model."""

    name = "sparsity"
    unit = "share"
    direction = "maximize"
    formula = "share of activations with |a| <= 1e-3 of their root mean square"
    source = "Li et al. 2022, arXiv:2210.06313"

    def measure(self, models: Models) -> Tensor:
        return mean_of_activations(models, _share_near_zero)


def near_zero(output: Tensor) -> Tensor:
    """Which outputs of a layer are at most 1e-3 of their root mean square, model by model.

    Args:
        output: shape (models, examples, ...).

    Returns:
        Of the same shape, bool.
    """
    values = output.flatten(1).double()
    near = values.abs() <= NEAR_ZERO * values.square().mean(dim=1, keepdim=True).sqrt()
    return near.view(output.shape)


def _share_near_zero(_: Tensor, output: Tensor) -> Tensor:
    return near_zero(output).flatten(1).double().mean(dim=1)
