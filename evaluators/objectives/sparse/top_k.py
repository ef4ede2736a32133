"""Top k: what a network loses when each token keeps its largest activations alone."""

from __future__ import annotations

import math

from torch import Tensor

from evaluators.objectives.measured import MeasuredObjective, loss_with
from evaluators.places.neighbours import place_calls
from evaluators.training.models import Models
from evaluators.training.stacking.activation_slot import After

KEPT = 0.1  # of a token's activations


class TopK(MeasuredObjective):
    """Loss with all but a tenth of each token's activations at zero, those of the largest |a|; at least one stays.

    A token is a position of an example: in a convolution the channels there, in a perceptron the whole layer.
    """

    name = "top_k"
    unit = "nats"
    direction = "maximize"
    formula = "log(loss of the reference / loss of the candidate) with the largest 10 % of a token's |a| kept, others 0"
    source = "Li et al. 2022, arXiv:2210.06313"
    relative = True

    def measure(self, models: Models) -> Tensor:
        return loss_with(models, _disturbance)


def _disturbance(models: Models) -> After:
    places = iter(place_calls(models.task))
    return lambda _, output: largest(output, next(places).channel_dim)


def largest(output: Tensor, dim: int) -> Tensor:
    """Values with zeros in the place of all but the largest tenth along a dimension, by |a|."""
    count = math.ceil(KEPT * output.shape[dim])
    kept = output.abs().topk(count, dim=dim).indices
    return output.new_zeros(output.shape).scatter(dim, kept, output.gather(dim, kept))
