"""Screens: bad functions go with the right reason; no hidden-layer activation of torch goes."""

from __future__ import annotations

import pytest

from evaluators.rejection.screens import flags, screen
from evaluators.results.reasons import SCREENS, Reason
from primitives.catalogue import catalogue
from primitives.expression.parsing import parse

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
    ("relu(x)*exp(1-x)", "nan"),  # 0 * inf below -87.7
    ("log1p(2*exp(x))", "nan"),  # slope inf / inf above 88
    ("x>0", "flat"),
    ("sign(x)", "flat"),
    ("floor(x)", "flat"),
    ("relu(x-4.5)+1", "flat"),
    ("sin(200*x)", "steep"),
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
