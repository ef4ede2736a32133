"""Built-in forms: formulas that equal one of torch's functions are computed by it, others are not."""

from __future__ import annotations

import pytest
import torch

from primitives import Activation, parse
from primitives.equivalence.builtin import as_builtin

EQUAL = [
    ("max(x,0)", "relu"),
    ("max(0,min(x,6))", "relu6"),
    ("x*sigmoid(x)", "silu"),
    ("0.5*x*(1+erf(x/sqrt(2)))", "gelu"),
    ("x*tanh(log(1+exp(x)))", "mish"),
    ("log(1+exp(x))", "softplus"),
    ("where(x>0,x,exp(x)-1)", "elu"),
    ("x/(1+abs(x))", "softsign"),
    ("1/(1+exp(-x))", "sigmoid"),
    ("2*sigmoid(2*x)-1", "tanh"),
    ("max(x,0.01*x)", "leaky_relu"),
    ("x*clip(x+3,0,6)/6", "hard_swish"),
    ("max(-1,min(1,x))", "hardtanh"),
]


@pytest.mark.parametrize(("text", "name"), EQUAL)
def test_a_formula_that_torch_has_is_its_operator(text: str, name: str) -> None:
    assert as_builtin(parse(text)) is parse(f"{name}(x)")
    assert as_builtin(parse(f"{name}(x)")) is parse(f"{name}(x)")


@pytest.mark.parametrize("text", ["x*sigmoid(1.1*x)", "2*relu(x)", "max(x,0.1*x)", "x", "3", "max(0,min(x,7))"])
def test_another_function_stays_as_it_is(text: str) -> None:
    assert as_builtin(parse(text)) is parse(text)


def test_a_learnable_parameter_stays_learnable() -> None:
    layer = Activation(parse("x*sigmoid(beta*x); beta=1"))
    assert as_builtin(layer.expression) is layer.expression
    assert [name for name, _ in layer.named_parameters()] == ["beta"]


def test_the_softplus_that_overflows_as_written_has_value_and_slope() -> None:
    x = torch.tensor([-100.0, 0.0, 100.0], requires_grad=True)
    value = Activation(parse("log(1+exp(x))"))(x)
    value.sum().backward()
    torch.testing.assert_close(value.detach(), torch.nn.functional.softplus(x.detach()))
    torch.testing.assert_close(x.grad, torch.sigmoid(x.detach()))
