"""Screens: bad functions go with the right reason; no hidden-layer activation of torch goes."""

from __future__ import annotations

import pytest

from evaluators.places.axes import axes_of_places
from evaluators.rejection.screens import flags, screen
from evaluators.results.reasons import SCREENS, Reason
from evaluators.tasks import task
from primitives.catalogue import catalogue
from primitives.expression.parsing import parse
from primitives.operators.axes import mask

REJECTED = (
    ("3", "no-input"),
    ("tanh(2)+1", "no-input"),
    ("c*2; c=1.0", "no-input"),
    ("x-x", "constant"),
    ("0*x", "constant"),
    ("x/x", "constant"),
    ("sign(x**2+1)", "constant"),
    ("x", "affine"),
    ("2*x-3", "affine"),
    ("relu(x)-relu(-x)", "affine"),
    ("beta*x; beta=1.0", "affine"),
    ("log(x)", "non-finite"),
    ("sqrt(x)", "non-finite"),
    ("1/(x-0.5)*relu(0.5-x)/0", "non-finite"),
    ("exp(exp(x))", "non-finite"),
    ("exp(x**2)", "non-finite"),
    ("sqrt_abs(x)", "non-finite"),  # its slope at zero
    ("signed_sqrt(x)", "non-finite"),
    ("signed_log(x)", "non-finite"),
    ("relu(x)*exp(1-x)", "nan"),  # 0 * inf below -87.7
    ("log1p(2*exp(x))", "nan"),  # slope inf / inf above 88
    ("x>0", "flat"),
    ("sign(x)", "flat"),
    ("floor(x)", "flat"),
    ("relu(x-4.5)+1", "flat"),
    ("sin(200*x)", "steep"),
    ("relu(z)", "no-input"),
    ("x*0+z*0", "constant"),
    ("max_c(x)", "lost-axis"),
    ("relu(mean_p(x))", "lost-axis"),
    ("relu(mean_gp(x))", "lost-axis"),
    ("mean_np(x)*w; w=1:channel", "lost-axis"),
    ("x-mean_np(x)", "affine"),
    ("2*x-3*z+1", "affine"),
    ("x+mean_c(z)", "affine"),
    ("exp(x)/sum_c(exp(x))", "non-finite"),
    ("log(x)*z", "non-finite"),
    ("sign(x/rms_c(x))", "flat"),
    ("sin(300*x)*z", "steep"),
    ("layers(relu(x),x,log(x))", "affine"),
    ("layers(x/rms_c(x),log(x))", "non-finite"),
)
#: Layers and gates of published networks, and mixtures of kinds.
LAYERS = (
    "x*sigmoid(v*x)/std_gp(x)*w+b; v=1:channel, w=1:channel, b=0:channel",  # EvoNorm-S0
    "x/max(std_np(x),v*x+std_p(x))*w+b; v=1:channel, w=1:channel, b=0:channel",  # EvoNorm-B0
    "relu((x-mean_np(x))/std_np(x)*w+b); w=1:channel, b=0:channel",
    "x/rms_c(x)",
    "exp(x-max_c(x))/sum_c(exp(x-max_c(x)))",
    "x*z",
    "sigmoid(x)*z",
    "silu(x)*z",
    "gelu(x)*z",
    "relu(x)*relu(z)",
    "max(x,z)",
    "paired(relu(x),relu(x+0.1))*z",
    "paired(relu(x),relu(x+0.1))/rms_c(x)",
    "layers(sin(10*x),relu(x),relu(x))",
    "layers(x/rms_c(x),relu(x))",
)
TORCH = (
    "relu(x)",
    "leaky_relu(x)",
    "elu(x)",
    "selu(x)",
    "max(0,x)+min(0,0.5*(exp(min(x,0)/0.5)-1))",  # CELU with alpha 0.5
    "gelu(x)",
    "silu(x)",
    "mish(x)",
    "softplus(x)",
    "hard_swish(x)",
    "hard_sigmoid(x)",
    "tanh(x)",
    "softsign(x)",
    "sigmoid(x)",
    "log_sigmoid(x)",
    "relu6(x)",
    "hardtanh(x)",
    "max(x,a*x); a=0.25",  # PReLU
)


@pytest.mark.parametrize(("text", "reason"), REJECTED)
def test_reasons(text: str, reason: str) -> None:
    assert screen(parse(text)) is SCREENS[reason]


def test_every_reason_is_explained_and_tested() -> None:
    of_places = {Reason.MISFIT.code}  # the proposer looks at the tasks' places
    assert {reason for _, reason in REJECTED} == set(SCREENS) - of_places


@pytest.mark.parametrize("text", TORCH)
def test_hidden_layer_activations_of_torch_pass(text: str) -> None:
    assert screen(parse(text)) is None


@pytest.mark.parametrize("text", LAYERS)
def test_layers_and_gates_pass_again_and_again(text: str) -> None:
    for _ in range(2):  # the fixed tensors stay as they are
        assert screen(parse(text)) is None
        assert flags(parse(text)) == ()


def test_a_place_without_positions_has_none_to_lose() -> None:
    assert screen(parse("relu(mean_p(x))"), mask("nc")) is None
    assert screen(parse("relu(max_c(x))"), mask("nc")) is Reason.LOST_AXIS
    assert screen(parse("x/std_p(x)")) is None
    assert screen(parse("x/std_p(x)"), mask("nc")) is Reason.AFFINE  # 316*x


@pytest.mark.parametrize(("name", "letters"), [("digits", "nc"), ("digits-cnn", "ncp")])
def test_the_axes_of_a_job_are_those_of_its_networks(name: str, letters: str) -> None:
    assert axes_of_places(task(name)) == mask(letters)


def test_what_is_a_function_of_one_number_in_the_end_is_screened_as_one() -> None:
    assert screen(parse("relu(x)+var_c(mean_c(x))")) is None
    assert screen(parse("log(x)+var_c(mean_c(x))")) is Reason.OVERFLOW


def test_half_precision_of_layers_is_flagged() -> None:
    assert flags(parse("1e6*x*z")) == ("float16",)
    assert flags(parse("1e6*x/rms_c(x)")) == ("float16",)
    assert flags(parse("layers(exp(0.5*x),relu(x))")) == ("float16",)


def test_what_torch_computes_is_screened_as_it_is_computed() -> None:
    """As written, the slope is inf / inf above 88.7; it equals softplus and is computed by that."""
    assert screen(parse("log(1+exp(x))")) is None


def test_scale_does_not_matter() -> None:
    for text in ("relu(x)", "gelu(x)", "tanh(x)"):
        assert screen(parse(f"1000*{text}")) == screen(parse(f"0.001*{text}")) is None


def test_few_known_functions_are_rejected() -> None:
    entries = catalogue()
    rejected = [
        entry.name for entry in entries if screen(entry.expression) not in {None, Reason.OVERFLOW, Reason.AFFINE}
    ]
    assert len(rejected) <= 0.05 * len(entries), rejected


def test_half_precision_is_flagged() -> None:
    assert flags(parse("gelu(x)")) == ()
    assert flags(parse("exp(0.5*x)")) == ("float16",)
    assert screen(parse("exp(0.5*x)")) is None
