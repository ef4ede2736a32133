"""Churn: how often two models that differ in the seed alone predict different classes."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import one_hot

from evaluators.objectives.measured import MeasuredObjective
from evaluators.objectives.predictions.looks import check_classes, shared_outputs
from evaluators.training.models import Models


class Churn(MeasuredObjective):
    """Share of the validation examples that two models of different seeds classify differently, mean over the pairs."""

    name = "churn"
    unit = "share"
    direction = "minimize"
    formula = "share of examples whose largest output is another class's, mean over all pairs of seeds"
    source = "Milani Fard et al. 2016, Launch and Iterate: Reducing Prediction Churn (NeurIPS)"
    fewest_seeds = 2
    one_split = True

    def check(self, models: Models) -> None:
        check_classes(models, self.name)

    def measure(self, models: Models) -> Tensor:
        return disagreement(shared_outputs(models))


def disagreement(outputs: Tensor) -> Tensor:
    """Share of pairs of models whose largest outputs differ, shape (models, examples, ..., classes); NaN where one is.

    The pairs that agree are counted by the votes v of each class: sum v (v - 1) of M (M - 1).
    """
    votes, models = one_hot(outputs.argmax(dim=-1), outputs.shape[-1]).sum(dim=0).double(), len(outputs)
    agreeing = (votes * (votes - 1.0)).sum(dim=-1) / (models * (models - 1))
    return 1.0 - agreeing.mean() + 0.0 * outputs.mean()
