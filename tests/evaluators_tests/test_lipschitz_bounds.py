"""Bounds of a network's Lipschitz constant: against torch's Jacobians and plain matrices, and one below the other."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.machine.backend import CPU, Backend
from evaluators.objectives import check_measured, measure, measured_objectives
from evaluators.objectives.measured import EXAMPLES
from evaluators.tasks import task
from evaluators.tasks.base import Task
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.models import Models
from evaluators.training.plain import PlainModel
from evaluators.training.singles import Singles
from evaluators.training.stacking.stack import Stack
from primitives.analysis import output_factor
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import Family

SEEDS = (4, 5)
DOUBLE = Backend(dtype=torch.float64)
BOTH = measured_objectives(["lipschitz_lower", "lipschitz_upper"])
CHAINS = ("mlp", "cnn", "coordinates", "signals")


def trained(text: str, steps: int, chosen: Task | str, kind: type[Models] = Stack, backend: Backend = CPU) -> Models:
    schedule = Schedule(max(steps, 1), (), (3e-3,))
    models = kind(task(chosen), "search", [CohortMember(parse(text), SEEDS)], schedule, backend=backend)
    models.advance(steps)
    return models


def bounds(models: Models) -> tuple[float, float]:
    check_measured(BOTH, models)
    found = measure(models, BOTH)
    return found["lipschitz_lower"], found["lipschitz_upper"]


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("text", ["relu(x)", "x*sigmoid(beta*x); beta=1.0", "sin(3*x)", "layers(tanh(x),gelu(x))"])
def test_the_lower_bound_is_below_the_upper_one(name: str, text: str) -> None:
    lower, upper = bounds(trained(text, 8, Family(name)))
    assert 0.0 < lower < upper < math.inf


@pytest.mark.parametrize(("name", "ratio"), [("digits", 2.0), ("digits-10x32", 30.0), ("digits-cnn", 5.0)])
def test_the_lower_bound_is_far_below_in_trained_networks(name: str, ratio: float) -> None:
    """As Khromov and Singh 2024 find it; the more so the deeper the network is."""
    lower, upper = bounds(trained("gelu(x)", 60, name))
    assert ratio * lower < upper


@pytest.mark.parametrize("name", CHAINS)
def test_of_a_linear_network_both_are_the_same(name: str) -> None:
    """Up to the maps between: the norm of a product is at most the product of the norms."""

    class Shallow(Family):
        def network(self) -> nn.Module:
            return nn.Sequential(nn.Linear(12, 5), nn.ReLU())

    lower, upper = bounds(trained("x", 5, Shallow("mlp"), backend=DOUBLE))
    assert lower == pytest.approx(upper, rel=1e-9)
    lower, upper = bounds(trained("x", 5, Family(name), backend=DOUBLE))
    assert lower < upper


def test_they_are_those_of_plain_torch() -> None:
    """``torch.func.jacrev`` of each model, and the norms of its weights; sup |tanh'| is 1."""
    lower, upper = [], []
    for seed in SEEDS:
        model = PlainModel(task("digits"), "search", parse("tanh(x)"), seed=seed, rate=3e-3, steps=20, backend=DOUBLE)
        model.advance(20)
        inputs = model.examples.inputs
        assert isinstance(inputs, Tensor)
        jacobian = torch.func.jacrev(lambda x, network=model.network: network(x[None])[0])
        x = inputs[model.split.validation[:EXAMPLES]]
        lower.append(max(float(torch.linalg.matrix_norm(jacobian(row).detach(), 2)) for row in x[:64]))
        weights = [module.weight for module in model.network.modules() if isinstance(module, nn.Linear)]
        upper.append(math.prod(float(torch.linalg.matrix_norm(w.detach(), 2)) for w in weights))
        upper[-1] *= output_factor(parse("tanh(x)")) ** 2
    found = bounds(trained("tanh(x)", 20, "digits", backend=DOUBLE))
    assert found[0] >= sum(lower) / 2 * (1 - 1e-9)  # over four times as many examples
    assert found[0] < 1.5 * sum(lower) / 2
    assert found[1] == pytest.approx(sum(upper) / 2, rel=1e-9)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
@pytest.mark.parametrize("text", ["relu(x)", "v*sin(w*x); v=1.5, w=2:channel"])
def test_models_one_by_one_have_the_same(name: str, text: str) -> None:
    found = bounds(trained(text, 4, Family(name), backend=DOUBLE))
    assert bounds(trained(text, 4, Family(name), Singles, DOUBLE)) == pytest.approx(found, rel=1e-6)


def test_learned_parameters_count() -> None:
    """Of w*tanh(x) the slope is |w|, of the channels the largest."""
    chosen = Family("mlp", scale="none")
    stack = trained("w*tanh(x); w=1:channel", 12, chosen, backend=DOUBLE)
    fixed = trained("tanh(x)", 12, chosen, backend=DOUBLE)
    assert isinstance(stack, Stack) and isinstance(fixed, Stack)
    for name, weights in stack.state.items():
        fixed.state[name].data.copy_(weights.data)
    ratios = torch.stack([each["w"].detach().abs().amax(dim=1) for each in stack.learned()]).prod(dim=0)
    one, other = (_upper_by_model(stack), _upper_by_model(fixed))
    assert one == pytest.approx([a * float(b) for a, b in zip(other, ratios, strict=True)], rel=1e-9)


def _upper_by_model(stack: Stack) -> list[float]:
    """The bound of each seed's model, from stacks in which all slices are that model's."""
    found = []
    for row in range(len(SEEDS)):
        before = {name: weights.data.clone() for name, weights in stack.state.items()}
        values = [tensor.data.clone() for slot in stack.activations for tensor in slot.values]
        for weights in stack.state.values():
            weights.data.copy_(weights.data[row].expand_as(weights))
        for tensor in (tensor for slot in stack.activations for tensor in slot.values):
            tensor.data.copy_(tensor.data[row].expand_as(tensor))
        found.append(measure(stack, BOTH)["lipschitz_upper"])
        for name, kept in before.items():
            stack.state[name].data.copy_(kept)
        slots = (tensor for slot in stack.activations for tensor in slot.values)
        for tensor, kept in zip(slots, values, strict=True):
            tensor.data.copy_(kept)
    return found


def test_no_pair_of_inputs_is_moved_apart_by_more_than_the_upper_bound() -> None:
    models = trained("gelu(x)", 30, "digits")
    _, upper = bounds(models)
    index = models.splits.validation[models.seed][:, :64]
    x = models.at(index).inputs
    assert isinstance(x, Tensor)
    with torch.no_grad():
        outputs = models.outputs(x)
    for (a, fa), (b, fb) in pairwise(zip(x.unbind(1), outputs.unbind(1), strict=True)):
        assert ((fa - fb).norm(dim=1) / (a - b).norm(dim=1)).mean() < upper


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mlp-residual", "what enters place 2 does not come from the place before it alone"),
        ("skipping", "expected a chain of layers"),
        ("mlp-norm", "what enters place 1 is no affine map"),
        ("cnn-norm", "what enters place 1 is no affine map"),
        ("gru", "lipschitz_lower takes any network"),
        ("resnet", "expected a chain of layers"),
        ("transformer", "expected floating point inputs, got torch.int64"),
    ],
)
def test_other_networks_are_refused_before_training(name: str, why: str) -> None:
    upper = measured_objectives(["lipschitz_upper"])
    with pytest.raises(TaskError, match=f"task '{name}': lipschitz_upper: .*{why}"):
        check_measured(upper, trained("relu(x)", 0, Family(name)))


def test_a_wide_network_is_refused() -> None:
    class Wide(Family):
        def network(self) -> nn.Module:
            return nn.Sequential(nn.Linear(12, 2049), nn.ReLU(), nn.Linear(2049, 5))

    with pytest.raises(TaskError, match="expected at most 2,048 numbers between two places, got 2,049"):
        check_measured(BOTH, trained("relu(x)", 0, Wide("mlp")))


def test_a_slope_without_a_bound_counts_as_a_million() -> None:
    _, upper = bounds(trained("x*x", 0, Family("mlp")))
    _, other = bounds(trained("1e6*relu(x)", 0, Family("mlp", scale="none")))
    assert upper == pytest.approx(other, rel=1e-6)


def test_gates_have_no_upper_bound() -> None:
    (upper,) = measured_objectives(["lipschitz_upper"])
    assert "silu(x)*z is a gate" in upper.lacks(parse("silu(x)*z"))
    assert not upper.lacks(parse("layers(relu(x),tanh(x))"))
