"""Activations of which 85 % are 0 train in deep networks once clipped: Price et al. 2024 (arXiv:2402.16184)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from torch import nn

from evaluators.objectives.registry import objective
from evaluators.objectives.sparsity import Sparsity
from evaluators.tasks.shipped.digits import DeepNarrowDigits
from evaluators.training.initialisation import initial_network
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.train import train
from primitives.analysis import mean_field
from primitives.expression.parsing import parse

SHIFTED, CLIPPED = "relu(x-1.04)", "min(relu(x-1.04),1.169)"  # V'(1) is 1 and .7


class AtTheEdge(DeepNarrowDigits):
    """The task with weights and biases on the edge of chaos of a function at variance 1, and the function as it is."""

    initial, scale = "own", "none"

    def __init__(self, depth: int, width: int, text: str) -> None:
        super().__init__(depth, width)
        at = mean_field(parse(text), 1.0)
        self.weight, self.bias = at.slope**-0.5, math.sqrt(1.0 - at.second / at.slope)

    def network(self) -> nn.Module:
        made = super().network()
        layers = [module for module in made.modules() if isinstance(module, nn.Linear)]
        for layer in layers:
            spread = math.sqrt(1.0 - self.bias**2) if layer is layers[0] else self.weight  # pixels are of mean square 1
            nn.init.normal_(layer.weight, std=spread * layer.in_features**-0.5)
            nn.init.normal_(layer.bias, std=self.bias)
        return made


def trained(text: str, depth: int, seeds: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float]:
    """Accuracies in validation, a seed each, and the share of zeros, after 500 steps at .001 with a width of 100."""
    measured = objective("sparsity")
    assert isinstance(measured, Sparsity)
    (outcome,) = train(
        AtTheEdge(depth, 100, text), "search", [CohortMember(parse(text), tuple(range(seeds)), protected=True)],
        Schedule(500, (), (1e-3,)), measured=(measured,), readings=True,
    )  # fmt: skip
    return np.array(outcome.readings["accuracy"])[:, 0], outcome.measured["sparsity"]


@pytest.mark.parametrize("text", [SHIFTED, CLIPPED])
def test_weights_are_those_of_the_edge_and_85_percent_are_zero(text: str) -> None:
    task = AtTheEdge(4, 400, text)
    network = initial_network(task, 0)
    assert isinstance(network, nn.Sequential)
    x = task.data("search")[0]
    assert float(x.square().mean()) == pytest.approx(1.0, abs=0.1)
    before = network[0](x).detach()
    assert float(before.square().mean()) == pytest.approx(1.0, abs=0.15)
    assert float((before <= 1.04).double().mean()) == pytest.approx(0.85, abs=0.03)


@pytest.mark.slow
def test_the_clip_makes_thirty_sparse_layers_train() -> None:
    """Accuracies .63 to .86 clipped, mean .77, and .20 to .81, mean .45; with five layers all are above .92."""
    (shifted, zeros), (clipped, clipped_zeros) = (trained(text, 30, 4) for text in (SHIFTED, CLIPPED))
    assert min(zeros, clipped_zeros) > 0.8
    assert clipped.min() > 0.5
    assert clipped.mean() > shifted.mean() + 0.1
    assert (clipped > shifted).sum() >= 3
    assert min(trained(text, 5, 2)[0].min() for text in (SHIFTED, CLIPPED)) > 0.85
