"""Neurons that a block can do without: closed forms, brute force, and which networks have blocks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.evaluate import evaluate
from evaluators.objectives import measure, measured_objectives
from evaluators.objectives.sparse.neurons import ERROR, active
from evaluators.objectives.sparse.predictivity import recall
from evaluators.objectives.sparse.reuse import Reuse
from evaluators.objectives.sparse.top_k import largest
from evaluators.places.neighbours import LinearCall, place_calls
from evaluators.tasks import task
from evaluators.tasks.base import Task
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import Family


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def models_of(chosen: Task, text: str = "tanh(x)") -> Stack:
    return Stack(chosen, "search", [CohortMember(parse(text), (4,))], Schedule(1, (), (1e-3,)))


def test_active_neurons_are_those_of_the_largest_threshold_that_the_error_allows() -> None:
    """Against every threshold, one after the other."""
    output, weight = drawn(2, 12, 9), drawn(2, 4, 9, seed=1)
    found = active(output, weight)
    for a, w, on in zip(output, weight, found, strict=True):
        norms = a.abs() * w.norm(dim=0)
        whole = (a @ w.T).norm(dim=1)
        errors = [float((((a * (norms <= each)) @ w.T).norm(dim=1) / whole).mean()) for each in norms.flatten()]
        allowed = [float(each) for each, error in zip(norms.flatten(), errors, strict=True) if error <= ERROR]
        threshold = float(norms[~on].max())
        assert threshold in allowed
        assert torch.equal(on, norms > threshold)
        above = norms[on].min()
        assert float((((a * (norms <= above)) @ w.T).norm(dim=1) / whole).mean()) > ERROR


def test_a_factor_of_the_output_moves_no_neuron_and_zeros_are_never_active() -> None:
    output, weight = drawn(1, 40, 16).relu(), drawn(1, 8, 16, seed=1)
    on = active(output, weight)
    assert torch.equal(on, active(1e-3 * output, weight))
    assert not on[output == 0.0].any()
    assert not active(torch.zeros_like(output), weight).any()


def test_a_predictor_finds_what_is_linear_in_the_input_and_chance_elsewhere() -> None:
    x = drawn(1, 400, 6)
    linear = x @ drawn(6, 20, seed=1) > 0.5
    assert float(recall(x, linear)) > 0.85
    chance = drawn(1, 400, 20, seed=2) > 1.0
    assert float(recall(x, chance)) == pytest.approx(float(chance.double().mean()), abs=0.05)
    assert math.isnan(float(recall(x, chance & ~chance)))


def test_reuse_is_the_share_that_was_active_before() -> None:
    on = torch.tensor([[[[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]]]], dtype=torch.bool)
    assert float(Reuse().of_block(on, drawn(1, 1, 3, 4))) == pytest.approx(3 / 6)


def test_top_k_keeps_a_tenth_and_at_least_one_along_the_channels() -> None:
    output = drawn(2, 5, 30, 4)
    kept = largest(output, -2)
    assert ((kept != 0).sum(dim=-2) == 3).all()
    assert torch.equal(kept[kept != 0], output[kept != 0])
    assert float(kept.abs().sum()) > 3 / 30 * float(output.abs().sum())
    assert (largest(torch.ones(2, 5, 7), -1).sum(dim=-1) == 1.0).all()  # ties


class Unusual(Family):
    """Two linear layers take one activation; another passes dropout; the last comes back through its layer."""

    def __init__(self) -> None:
        super().__init__("mlp")

    def network(self) -> nn.Module:
        return Branches()


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(12, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.last, self.dropout = nn.Linear(8, 5), nn.Dropout(0.1)
        self.one, self.two = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.one(self.first(x))
        result: Tensor = self.last(self.dropout(self.two(self.third(self.second(h)) + self.third(h))))
        return result


def test_linear_layers_beside_a_place_are_found() -> None:
    one, two = place_calls(Unusual())
    assert (one.path, one.before, one.after) == ("one", (LinearCall("first", 0),), ("second", "third"))
    assert (two.path, two.before, two.after) == ("two", (), ("last",))
    (gate,) = place_calls(task("bytes-lm-gated"))
    assert gate.before == (LinearCall("blocks.1.branch.1.up", 0),)
    assert (gate.after, gate.dimensions) == (("blocks.1.branch.1.down",), 3)


def test_what_has_no_block_is_refused_with_the_place() -> None:
    for chosen, name, why in (
        (Unusual(), "cett_sparsity", r"'mlp': cett_sparsity: one: expected one linear layer.*found second and third"),
        (task("digits-pruned"), "cett_sparsity", r"cett_sparsity: 1: expected one linear layer, of a weight that is a"),
        (Family("mlp-norm"), "predictivity", r"predictivity: 2: expected a linear layer whose output.*found none"),
        (task("digits"), "reuse", r"reuse: 1: expected activations of shape .examples, tokens, neurons., got 2"),
    ):
        (objective,) = measured_objectives([name])
        with pytest.raises(TaskError, match=why):
            objective.check(models_of(chosen))


def test_zeros_are_sparse_and_dense_functions_are_not() -> None:
    names = ("cett_sparsity", "predictivity", "reuse")
    found = {
        text: measure(models_of(task("bytes-lm"), text), measured_objectives(names)) for text in ("relu(x)", "cos(x)")
    }
    assert found["relu(x)"]["cett_sparsity"] > 0.55 > 0.45 > found["cos(x)"]["cett_sparsity"]
    assert found["relu(x)"]["predictivity"] > 0.7  # which sign x has is linear in the block's input


@pytest.mark.slow
def test_functions_with_zeros_are_sparser_at_an_equal_loss() -> None:
    """ReLU, ReLU^2, GELU, SiLU: sparsity .77, .71, .15, .00, CETT .89, .92, .87, .74; gains within .04 nats."""
    texts = ("relu(x)", "relu(x)**2", "gelu(x)", "silu(x)")
    names = ("sparsity", "cett_sparsity", "predictivity", "reuse")
    relu, square, gelu, silu = evaluate(
        texts, "bytes-lm-2x32", seeds=2, steps=600, rates=(1e-2,), objectives=names
    )  # fmt: skip
    assert max(abs(each.gain) for each in (square, gelu, silu)) < 0.1
    for sparse in (relu, square):
        assert sparse.objectives["sparsity"] > max(gelu.objectives["sparsity"], silu.objectives["sparsity"]) + 0.3
        assert sparse.objectives["cett_sparsity"] > silu.objectives["cett_sparsity"] + 0.07
    assert square.objectives["cett_sparsity"] > gelu.objectives["cett_sparsity"] + 0.02


@pytest.mark.slow
def test_gates_of_two_rectifiers_are_sparser_than_swiglu_at_an_equal_loss() -> None:
    """dReLU, ReGLU, SwiGLU: sparsity .76, .54, .01, CETT .92, .88, .87; losses within .01 nats (4 seeds)."""
    names = ("sparsity", "cett_sparsity")
    texts = ("relu(x)*relu(z)", "relu(x)*z", "silu(x)*z")
    dual, half, smooth = evaluate(texts, "bytes-lm-gated", seeds=2, rates=(1e-2,), objectives=names)
    assert max(abs(each.gain) for each in (dual, half, smooth)) < 0.05
    assert dual.objectives["sparsity"] > half.objectives["sparsity"] + 0.1 > smooth.objectives["sparsity"] + 0.4
    assert dual.objectives["cett_sparsity"] > smooth.objectives["cett_sparsity"] + 0.02
