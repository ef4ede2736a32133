"""Activations that write into their input keep doing so: in plain training, in stacks and in what is measured."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evaluators.objectives.measured import measure
from evaluators.objectives.noise import Noise
from evaluators.objectives.predictions.reproducibility import Reproducibility
from evaluators.objectives.robustness import Robustness
from evaluators.places.survey import find_sites
from evaluators.tasks.tryout import try_out
from evaluators.training.member import CohortMember
from evaluators.training.plain import PlainModel
from primitives.analysis import output_factor
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import Family
from tests.evaluators_tests.test_stack_equals_plain import DOUBLE, check, pairs, two

SWISH = "x*sigmoid(beta*x); beta=1.0:channel"


class Blocks(nn.Module):
    """Pre-activation blocks, the first on the network's input: the skip connection carries what is in place."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.acts = nn.ModuleList(nn.ReLU(inplace=inplace) for _ in range(3))
        self.layers = nn.ModuleList([nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)])
        self.head = nn.Linear(48, 5)

    def forward(self, x: Tensor) -> Tensor:
        for act, layer in zip(self.acts, self.layers, strict=True):
            x = layer(act(x)) + x
        return self.head(x.flatten(1))


class Images(Family):
    def __init__(self, **settings: object) -> None:
        self.inplace = bool(settings.pop("inplace", True))
        super().__init__("cnn", **settings)

    def network(self) -> nn.Module:
        return Blocks(self.inplace)

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x, y = super().data(part)
        return x[:, :, :4, :4].expand(-1, 3, -1, -1).clone(), y


@pytest.mark.parametrize("settings", [{}, {"optimiser": "sgd", "clip": 0.5}])
def test_a_stack_equals_plain_training(settings: dict[str, object]) -> None:
    check(Images(**settings), two(), 30, DOUBLE, 1e-9)


@pytest.mark.parametrize("inplace", [False, True])
def test_values_and_gradients_are_the_formulas(inplace: bool) -> None:
    task, text = Images(inplace=inplace), "x*sigmoid(1.5*x)"
    model = PlainModel(task, "search", parse(text), seed=1, rate=1e-3, steps=1, backend=DOUBLE)
    factor = output_factor(parse(text))
    network, x = model.network, model.examples.inputs[:8]
    assert isinstance(network, Blocks)

    def written_out(x: Tensor) -> Tensor:
        for layer in network.layers:
            h = factor * x * torch.sigmoid(1.5 * x)
            x = layer(h) + (h if inplace else x)
        return network.head(x.flatten(1))

    weights = list(network.parameters())
    torch.testing.assert_close(network(x.clone()), written_out(x))
    found = torch.autograd.grad(network(x.clone()).square().sum(), weights)
    torch.testing.assert_close(found, torch.autograd.grad(written_out(x).square().sum(), weights))


def test_what_is_measured_does_not_see_the_input_overwritten() -> None:
    stack, _ = pairs(Images(learning_rates=(1e-3,)), [CohortMember(parse(SWISH), (1, 2))], 5, DOUBLE)
    stack.advance(5)
    before = stack.loss("validation")
    objectives = [Noise(), Reproducibility(), Robustness()]
    first = measure(stack, objectives)
    assert measure(stack, objectives) == first
    assert torch.equal(stack.loss("validation"), before)
    x = stack.examples.inputs[:4].expand(stack.width, -1, -1, -1, -1)
    assert torch.equal(stack.outputs(x), stack.outputs(x))


def test_neither_probing_nor_trying_out_changes_the_data() -> None:
    class Kept(Images):
        kept: tuple[Tensor, Tensor] | None = None

        def data(self, part: str) -> tuple[Tensor, Tensor]:
            if part == "search":
                self.kept = self.kept or super().data(part)
                return self.kept
            return super().data(part)

    task = Kept()
    x = task.data("search")[0].clone()
    find_sites(task.network(), task, task.data("search")[0])
    try_out(task)
    assert torch.equal(task.data("search")[0], x)
