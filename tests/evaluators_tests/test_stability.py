"""The stability test: torch's hidden-layer activations pass, what grows faster than x does not."""

from __future__ import annotations

import math

import pytest
import torch

from evaluators.stability import LIMIT, is_unstable, largest_gradient
from primitives.parsing import parse

#: Hidden-layer activations of torch.nn, and some that are known to train.
STABLE = (
    *("relu(x)", "leaky_relu(x)", "elu(x)", "selu(x)", "max(x,0)+min(0,expm1(x))", "gelu(x)", "gelu_tanh(x)"),
    *("silu(x)", "mish(x)", "softplus(x)", "hard_swish(x)", "tanh(x)", "softsign(x)", "sigmoid(x)", "log_sigmoid(x)"),
    *("relu6(x)", "hardtanh(x)", "hard_sigmoid(x)", "x-tanh(x)", "max(x,a*x); a=0.25:channel", "sin(x)"),
    *("x*sigmoid(beta*x); beta=1.0", "x*atan(x)", "exp(-x**2)"),
)
UNSTABLE = ("x**3", "exp(x)", "x**2", "sinh(x)", "x*abs(x)", "exp(exp(x))")


@pytest.mark.parametrize("text", STABLE)
def test_hidden_layer_activations_pass_with_room(text: str) -> None:
    assert 0 < largest_gradient(parse(text)) < 0.1 * LIMIT


@pytest.mark.parametrize("text", UNSTABLE)
@pytest.mark.parametrize("seed", [0, 1])
def test_what_grows_faster_than_x_fails(text: str, seed: int) -> None:
    assert is_unstable(parse(text), seed)


def test_ascent_climbs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluators.stability.STEPS", 1)
    start = largest_gradient(parse("silu(x)"))
    monkeypatch.setattr("evaluators.stability.STEPS", 15)
    assert largest_gradient(parse("silu(x)")) > 2 * start


def test_it_is_the_same_each_time_and_leaves_torchs_generator_alone() -> None:
    state = torch.get_rng_state()
    first = largest_gradient(parse("tanh(x)"))
    assert torch.equal(torch.get_rng_state(), state)
    assert largest_gradient(parse("tanh(x)")) == first
    assert largest_gradient(parse("tanh(x)"), seed=1) != first


def test_a_factor_does_not_count() -> None:
    assert largest_gradient(parse("1000*tanh(x)")) == pytest.approx(largest_gradient(parse("tanh(x)")), rel=0.1)


def test_no_number_is_no_stability() -> None:
    assert largest_gradient(parse("log(x)")) == math.inf
    assert is_unstable(parse("log(x)"))
