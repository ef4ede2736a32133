"""Reuse: whether a token's active neurons are those of the token before it."""

from __future__ import annotations

from torch import Tensor

from evaluators.objectives.sparse.neurons import NeuronObjective
from evaluators.places.neighbours import PlaceCall


class Reuse(NeuronObjective):
    """Share of the active neurons of a token that are active at the token before it, too: weights that need not be
    loaded anew.

    Active are those that ``cett_sparsity`` keeps. Where all are, all are used again: a number to read beside that one.
    """

    name = "reuse"
    unit = "share"
    direction = "maximize"
    formula = "share of a token's active neurons, those that cett_sparsity keeps, that are active at the token before"
    source = "Zhang et al. 2024, arXiv:2402.03804"

    def misses(self, place: PlaceCall) -> str:
        if place.dimensions != 3:
            return f"expected activations of shape (examples, tokens, neurons), got {place.dimensions} dimensions"
        return super().misses(place)

    def of_block(self, on: Tensor, x: Tensor) -> Tensor:
        later = on[:, :, 1:]
        again = (later & on[:, :, :-1]).flatten(1).double().sum(dim=1)
        return again / later.flatten(1).double().sum(dim=1)
