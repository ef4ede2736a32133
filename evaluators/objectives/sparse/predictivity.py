"""Predictivity: whether a small predictor knows a block's active neurons before they are computed."""

from __future__ import annotations

import torch
from torch import Tensor

from evaluators.objectives.sparse.neurons import NeuronObjective
from evaluators.places.neighbours import PlaceCall

RIDGE = 1e-3  # of the mean square of the inputs


class Predictivity(NeuronObjective):
    """Share of a block's active neurons that a linear predictor finds from the block's input.

    The predictor is fitted by ridge regression to which neurons are active on one half of the examples, and judged on
    the other half: it names as many pairs of neuron and token as are active there, those of its largest values. So
    its recall is its precision, and to name more is no help. By chance it finds the share that is active, so the
    number is to be read beside ``cett_sparsity``. The block's input is that of the linear layer before the place.
    """

    name = "predictivity"
    unit = "share"
    direction = "maximize"
    formula = "recall of active neurons, those that cett_sparsity keeps, by ridge regression from the block's input"
    source = "Zhang et al. 2024, arXiv:2402.03804; Liu et al. 2023, arXiv:2310.17157"

    def misses(self, place: PlaceCall) -> str:
        if not place.before:
            return "expected a linear layer whose output the place gets as it is, found none"
        return super().misses(place)

    def of_block(self, on: Tensor, x: Tensor) -> Tensor:
        return recall(x, on)


def recall(x: Tensor, on: Tensor) -> Tensor:
    """What a predictor that is fitted on the first half of the examples finds of what is on in the second.

    Args:
        x: what it predicts from, shape (models, examples, ..., features).
        on: shape (models, examples, ..., neurons), bool.

    Returns:
        Shares, shape (models,); NaN where nothing is on.
    """
    half = x.shape[1] // 2
    features = x.double()
    features = torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)
    fitted, wanted = features[:, :half].flatten(1, -2), on[:, :half].flatten(1, -2).double()
    square = fitted.mT @ fitted
    ridge = RIDGE * square.diagonal(dim1=1, dim2=2).mean(dim=1)
    eye = torch.eye(square.shape[1], dtype=square.dtype, device=square.device)
    weights = torch.linalg.solve(square + ridge[:, None, None] * eye, fitted.mT @ wanted)
    scores = (features[:, half:].flatten(1, -2) @ weights).flatten(1)
    return torch.stack([_found(of_model, true) for of_model, true in zip(scores, on[:, half:].flatten(1), strict=True)])


def _found(scores: Tensor, true: Tensor) -> Tensor:
    """The share of what is true among as many of the largest scores."""
    named = scores.topk(int(true.sum())).indices
    return true[named].double().mean()
