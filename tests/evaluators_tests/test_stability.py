"""The stability test: torch's hidden-layer activations pass, what grows faster than x does not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from evaluators.networks import cnn
from evaluators.rejection.stability import LIMIT, _climb, _norm, is_unstable, largest_gradient
from evaluators.seeds import torch_generator
from evaluators.training.drawing import draw_weights
from primitives.analysis import output_factor
from primitives.catalogue import Entry, catalogue
from primitives.expression.parsing import parse

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


@pytest.mark.parametrize(
    ("text", "unstable"),
    [
        ("x*sigmoid(v*x)/std_gp(x)*w+b; v=1:channel, w=1:channel, b=0:channel", False),
        ("paired(relu(x),relu(x+0.1))/rms_c(x)", False),
        ("layers(x/rms_c(x),relu(x))", False),
        ("layers(relu(x),relu(x),relu(x),exp(x))", True),
        ("sigmoid(x)*z", False),
        ("max(x,z)", False),
        ("x*z*z", True),
    ],
)
def test_every_kind_is_tested(text: str, unstable: bool) -> None:
    assert is_unstable(parse(text)) == unstable


@pytest.mark.parametrize("entry", catalogue("layer"), ids=lambda entry: entry.name)
def test_known_layers_pass_with_room(entry: Entry) -> None:
    """In a convolutional network, where statistics over positions are not those of a perceptron."""
    assert 0 < largest_gradient(entry.expression, 3) < 1e-3 * LIMIT


@pytest.mark.parametrize("text", ["x*x*mean_cp(x)", "x/std_gp(x)*exp(x)", "exp(x)*w+mean_p(x); w=1:channel"])
@pytest.mark.parametrize("seed", [0, 1])
def test_layers_that_do_not_bound_what_they_normalise_fail(text: str, seed: int) -> None:
    assert is_unstable(parse(text), seed)


def test_the_gradient_of_a_layer_is_that_of_the_convolutions_before_the_first_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By hand: weights and examples of the same generator, torch's own modules."""
    monkeypatch.setattr("evaluators.rejection.stability.STEPS", 1)
    generator = torch_generator(5, "stability")
    network = cnn(1, 8, 3, 10)
    draw_weights(network, generator)
    x, y = torch.randn(16, 1, 8, 8, generator=generator), torch.randint(10, (16,), generator=generator)
    modules = [nn.Sequential(nn.BatchNorm2d(8 * 2**n), nn.ReLU()) for n in range(3)]
    network[1], network[3], network[5] = modules
    norm_relu = parse("relu((x-mean_np(x))/std_np(x))")
    factor = output_factor(norm_relu)
    weights = {name: own for name, own in network.named_parameters() if name.endswith("weight") and own.dim() > 1}
    first, *others = weights.values()
    for own in others:  # what stands behind each place; the last is the linear layer
        own.data *= factor
    *slopes, _ = torch.autograd.grad(nn.functional.cross_entropy(network(x), y), [first, *others])
    of_first, *rest = (slope.flatten() for slope in slopes)
    by_hand = float(torch.cat([of_first, *(factor * slope for slope in rest)]).norm())
    assert largest_gradient(norm_relu, 5) == pytest.approx(by_hand, rel=1e-3)


def test_ascent_climbs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluators.rejection.stability.STEPS", 1)
    start = largest_gradient(parse("silu(x)"))
    monkeypatch.setattr("evaluators.rejection.stability.STEPS", 15)
    assert largest_gradient(parse("silu(x)")) > 2 * start


def test_it_is_the_same_each_time_and_leaves_torchs_generator_alone() -> None:
    state = torch.get_rng_state()
    first = largest_gradient(parse("tanh(x)"))
    assert torch.equal(torch.get_rng_state(), state)
    assert largest_gradient(parse("tanh(x)")) == first
    assert largest_gradient(parse("tanh(x)"), seed=1) != first


@pytest.mark.parametrize("factor", ["1024", "2**-20"])
def test_a_factor_does_not_count(factor: str) -> None:
    """A power of two changes no bit of a float's mantissa, so that the whole ascent is the same on every CPU."""
    for text in ("tanh(x)", "silu(x)"):
        assert largest_gradient(parse(f"{factor}*{text}")) == largest_gradient(parse(text))


def test_a_factor_that_rounds_does_not_count_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three steps: the ascent is chaotic, over 100 of them rounding grows to 15 % and more."""
    monkeypatch.setattr("evaluators.rejection.stability.STEPS", 3)
    assert largest_gradient(parse("1000*tanh(x)")) == pytest.approx(largest_gradient(parse("tanh(x)")), rel=1e-4)


@pytest.mark.parametrize("size", [1e-44, 1e-38, 1e-18, 1.0, 1e18, 1e38])
def test_a_step_has_its_length_however_small_the_slopes(size: float) -> None:
    """Where an activation saturates, slopes fall to 1e-40 and a step over their norm is beyond float32."""
    weights = [torch.zeros(3), torch.zeros(2, 2)]
    assert _climb(weights, [torch.full_like(weight, size) for weight in weights], 0.5)
    assert _norm(weights) == pytest.approx(0.5)


def test_without_a_slope_there_is_no_step() -> None:
    weights = [torch.ones(3)]
    assert not _climb(weights, [torch.zeros(3)], 0.5)
    assert torch.equal(weights[0], torch.ones(3))


def test_no_number_is_no_stability() -> None:
    assert largest_gradient(parse("log(x)")) == math.inf
    assert is_unstable(parse("log(x)"))
