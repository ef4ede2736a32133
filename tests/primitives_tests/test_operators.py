"""Operators: definitions equal their sources, and an operator of one's own is probed before it is taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from primitives import (
    Operator,
    OperatorError,
    derivative,
    evaluate,
    lower,
    monotonicity,
    operators,
    parse,
    register,
    value_at,
)  # fmt: skip
from primitives.operators.table import remove_operator

GRID = torch.cat([torch.linspace(-6.0, 6.0, 1201, dtype=torch.float64) + 1e-4, torch.tensor([0.0, -1e-9])])

TORCH: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs, "sign": torch.sign, "floor": torch.floor, "exp": torch.exp, "expm1": torch.expm1,
    "sin": torch.sin, "cos": torch.cos, "atan": torch.atan, "arctan": torch.atan, "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh, "asinh": torch.asinh, "arcsinh": torch.asinh, "erf": torch.erf, "erfc": torch.erfc,
    "bessel_i0e": torch.special.i0e, "bessel_i1e": torch.special.i1e, "sigmoid": torch.sigmoid, "relu": torch.relu,
    "relu6": F.relu6, "leaky_relu": F.leaky_relu, "elu": F.elu, "celu": F.celu, "selu": F.selu, "gelu": F.gelu,
    "gelu_tanh": lambda a: F.gelu(a, approximate="tanh"), "silu": F.silu, "swish": F.silu, "mish": F.mish,
    "softsign": F.softsign, "log_sigmoid": F.logsigmoid, "hardtanh": F.hardtanh, "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish, "hardshrink": F.hardshrink, "softshrink": F.softshrink, "rrelu": F.rrelu,
    "square": torch.square, "reciprocal": torch.reciprocal, "zero": torch.zeros_like, "one": torch.ones_like,
    "identity": lambda a: a, "negative": torch.neg, "sinc": lambda a: torch.sinc(a / torch.pi),
    "softplus": lambda a: torch.logaddexp(a, torch.zeros_like(a)),
    "keras_hard_sigmoid": lambda a: torch.clamp(0.2 * a + 0.5, 0, 1),
    "symlog": lambda a: torch.sign(a) * torch.log1p(torch.abs(a)),
    "symexp": lambda a: torch.sign(a) * torch.expm1(torch.abs(a)),
    "signed_log": lambda a: torch.where(a == 0, 0, torch.sign(a) * torch.log(torch.abs(a))),
    "signed_sqrt": lambda a: torch.sign(a) * torch.abs(a) ** 0.5,
    "elish": lambda a: torch.where(a >= 0, a, torch.expm1(a)) / (1 + torch.exp(-a)),
    "square_10": lambda a: torch.clamp(a, -(10**0.5), 10**0.5) ** 2,
    "cube_10": lambda a: torch.clamp(a, -(10 ** (1 / 3)), 10 ** (1 / 3)) ** 3,
    "sinh_10": lambda a: torch.sinh(a).clamp(-10, 10),
    "exp_10": lambda a: torch.exp(a).clamp(max=10),
    "sqrt_eps": lambda a: torch.sqrt(a.clamp(min=1e-3)),
}  # fmt: skip


@pytest.mark.parametrize("name", TORCH)
def test_value_equals_torch(name: str) -> None:
    torch.testing.assert_close(value_at(parse(f"{name}(x)"), GRID), TORCH[name](GRID), rtol=1e-12, atol=1e-14)


SEVERAL: dict[str, tuple[str, Callable[..., Tensor]]] = {
    "acon": ("x,1.5,0.2,0.7", lambda a: 1.3 * a * torch.sigmoid(0.7 * 1.3 * a) + 0.2 * a),
    "srs": ("x,5,3", lambda a: a / (a / 5 + torch.exp(-a / 3))),
    "tanhsoft1": ("x,0.9", lambda a: torch.tanh(0.9 * a) * F.softplus(a, 1, 50)),
    "tanhsoft2": ("x,0.6,1.2", lambda a: a * torch.tanh(0.6 * torch.exp(1.2 * a))),
    "srelu": (
        "x,-1,0.2,2,0.5",
        lambda a: torch.where(a > 2, 2 + 0.5 * (a - 2), torch.where(a < -1, -1 + 0.2 * (a + 1), a)) + 1,
    ),
    "div_eps": ("x,2+sin(x)", lambda a: a / (2 + torch.sin(a) + 1e-7)),
    "div_abs": ("x,sin(x)", lambda a: a / (torch.sin(a).abs() + 1e-6)),
    "pow_clip": ("1+x**2,x", lambda a: (1 + a * a) ** a.clamp(-2, 2)),
    "mul_10": ("x,2*x", lambda a: a.clamp(-(10**0.5), 10**0.5) * (2 * a).clamp(-(10**0.5), 10**0.5)),
    "gate": ("sin(x),x", lambda a: torch.sigmoid(torch.sin(a)) * a),
    "mix": ("x,sin(x),0.3", lambda a: 0.3 * a + 0.7 * torch.sin(a)),
    "gaussian_distance": ("x,sin(x),0.3", lambda a: torch.exp(-0.3 * (a - torch.sin(a)) ** 2)),
    "laplace_distance": ("x,sin(x),0.3", lambda a: torch.exp(-0.3 * (a - torch.sin(a)).abs())),
    "clip": ("x,-1,2", lambda a: a.clamp(-1, 2)),
    "max_n": ("x,sin(x),0.5", lambda a: torch.maximum(torch.maximum(a, torch.sin(a)), torch.tensor(0.5))),
    "prod_n": ("sigmoid(x),negative(x),hard_sigmoid(x)", lambda a: torch.sigmoid(a) * -a * F.hardsigmoid(a)),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_value_of_several_inputs(name: str) -> None:
    inputs, expected = SEVERAL[name]
    torch.testing.assert_close(value_at(parse(f"{name}({inputs})"), GRID), expected(GRID), rtol=1e-12, atol=1e-13)


#: name, or name/number of inputs where that is not 1
SYSTEMS = """
    sum_n/3 prod_n/3 max_n/3 min_n/3 add/2 sub/2 mul/2 div/2 pow/2 max/2 min/2 zero one identity negative abs reciprocal
    square exp erf erfc sinh cosh tanh expm1 sigmoid log_sigmoid arcsinh arctan bessel_i0e bessel_i1e relu elu selu
    swish softplus softsign hard_sigmoid elish leakyrelu mish gelu
    square_10 cube_10 sqrt_eps exp_10 sinh_10 mul_10/2 gate/2 mix/3 left/2 right/2 silu leaky_relu
    relu6 hardswish tanhsoft1/2 acon/4 srs/3 logsigmoid symlog symexp srelu/5 tanhsoft2/3 sin cos hard_elish
    exp_clip log_eps div_abs/2 pow_clip/2
    hardshrink celu hardtanh softshrink rrelu
    sqrt log_abs sinc cube gaussian div_eps/2 gaussian_distance/3 laplace_distance/3 atan asinh
    signed_log signed_sqrt
"""


@pytest.mark.parametrize("entry", SYSTEMS.split())
def test_operators_of_the_published_systems_are_there(entry: str) -> None:
    name, _, inputs = entry.partition("/")
    expression = parse(f"{name}({','.join(['x'] * int(inputs or 1))})")
    assert parse(expression.text) is expression


@pytest.fixture
def own() -> Iterator[list[str]]:
    names: list[str] = []
    yield names
    for name in names:
        remove_operator(name)


GOOD = Operator(
    name="sin_square", forward=lambda a: torch.sin(a * a), tangent="2*a*cos(a*a)*da", cost=15.0,
    code={"torch": "torch.sin({0} ** 2)", "latex": r"\sin({0}^2)"},
)  # fmt: skip
HYPOT = Operator(
    name="hypot", arity=2, forward=lambda a, b: torch.sqrt(a * a + b * b + torch.zeros(())), cost=7.0,
    tangent="(a*da+b*db)/y",
)  # fmt: skip


def test_an_accepted_operator_is_an_operator(own: list[str]) -> None:
    register(GOOD)
    own.append("sin_square")
    expression = parse("x*sin_square(x+1)")
    assert parse(expression.text) is expression
    x = GRID.clone().requires_grad_()
    (slope,) = torch.autograd.grad((x * torch.sin((x + 1) ** 2)).sum(), x)
    torch.testing.assert_close(value_at(derivative(expression), GRID), slope)
    assert "torch.sin(" in lower(expression, "torch")
    with pytest.raises(OperatorError, match="the name is taken"):
        register(GOOD)


def test_a_formula_alone_is_an_operator(own: list[str]) -> None:
    register(Operator(name="bump", arity=2, formula="a*exp(-b*a**2)"))
    own.append("bump")
    expression = parse("bump(x,beta); beta=0.5")
    torch.testing.assert_close(value_at(expression, GRID), GRID * torch.exp(-0.5 * GRID**2))
    assert expression.text == "bump(x,beta); beta=0.5"
    assert "torch.exp" in lower(expression, "torch")
    (by_beta,) = evaluate((derivative(expression, "beta"),), GRID, {"beta": 0.5})
    torch.testing.assert_close(by_beta, -(GRID**3) * torch.exp(-0.5 * GRID**2))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "2x"}, "does not begin with a digit"),
    ({"name": "relu"}, "the name is taken"),
    ({"name": "swish"}, "the name is taken"),
    ({"name": "x"}, "the name is taken"),
    ({"tangent": ""}, "expected a formula, or a forward function and its tangent"),
    ({"cost": 0.0}, "expected a cost above 0"),
    ({"arity": 6}, "expected 1 to 5 inputs, got 6"),
    ({"tangent": "2*a*coz(a*a)*da"}, "did you mean 'cos'"),
    ({"tangent": "2*b*da"}, "unknown name 'b'"),
    ({"code": {"torch": "torch.sin({1})"}}, "torch: expected a template over"),
    ({"tangent": "a*cos(a*a)*da"}, r"at a=.* the derivative by a is .*, differences give .* and "),
    ({"tangent": "-2*a*cos(a*a)*da"}, "the derivative by a is"),
    ({"formula": "sin(a)**2"}, "the formula gives"),
    ({"forward": lambda a: torch.sin(a * a).float()}, "float64: expected a tensor of the inputs' shape and dtype"),
    ({"forward": lambda a: torch.sin(a * a).sum()}, "expected a tensor of the inputs' shape"),
    ({"forward": lambda a: 1.0}, "got float"),
    ({"forward": lambda a: torch.sin(a * a) - torch.sin(a * a).mean()}, "not elementwise or not repeatable"),
    ({"forward": lambda a: torch.sin(a * a) + 1e-3 * torch.rand_like(a)}, "not elementwise or not repeatable"),
    ({"forward": lambda a: torch.cumsum(a, 0)}, "not elementwise"),
    ({"forward": lambda a: a.mul_(a).sin_()}, "changes its inputs"),
    ({"forward": lambda a: torch.log(-1 - a * a)}, "no value on .* is finite"),
    ({"forward": lambda a: torch.sin(a @ a)}, "expected a tensor of the inputs' shape"),
    ({"forward": lambda a: torch.sin(a.square(2))}, "float64: the forward function failed: TypeError"),
    ({"monotone": ("increasing",)}, r"monotone: increasing in a: not so at a="),
    ({"monotone": ("neither", "neither")}, "monotone: expected a text for each of 1 inputs, got 2"),
    ({"monotone": ("rising",)}, "monotone: expected increasing, decreasing, neither, each may have 'from NUMBER'"),
    ({"curvature": "convex from 0"}, "curvature: convex: not so at a="),
    ({"curvature": "convex to zero"}, "curvature: expected a number, got 'zero'"),
    ({"image": "[0,1]"}, "image: not so at a="),
    ({"image": "0,1"}, "image: expected an interval such as"),
    ({"domain": "(1,1)"}, "domain: .*expected the first number below the second"),
    ({"forward": lambda a: torch.sin(a.double() ** 2)}, "float32: expected a tensor of the inputs' shape and dtype"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[str(n) for n in range(len(REFUSED))])
def test_a_refused_operator_leaves_nothing_behind(change: dict[str, Any], message: str, own: list[str]) -> None:
    before = operators()
    with pytest.raises(OperatorError, match=message):
        register(replace(GOOD, **change))
    assert operators() == before
    register(GOOD)  # after a refusal, the mended one is taken
    own.append("sin_square")


def test_the_shape_that_a_row_claims_is_used(own: list[str]) -> None:
    register(
        Operator(
            name="log_cosh", forward=lambda a: a.abs() + torch.log1p(torch.exp(-2 * a.abs())) - math.log(2),
            tangent="tanh(a)*da", cost=20.0, monotone=("decreasing to 0, increasing from 0",), curvature="convex",
            image="[0,inf)",
        )
    )  # fmt: skip
    own.append("log_cosh")
    known = monotonicity(parse("log_cosh(exp(x))"))
    assert (known.proved, known.convex, known.low) == ("increasing", True, 0.0)
    assert monotonicity(parse("log_cosh(x)")).verdict == "refuted"
    register(Operator(name="log_up", forward=torch.log, tangent="da/a", cost=9.0, monotone=("increasing",),
                      domain="(0,inf)"))  # fmt: skip
    own.append("log_up")
    assert monotonicity(parse("log_up(1+exp(x))")).proved == "increasing"
    assert monotonicity(parse("log_up(x)")).verdict == "unknown"
    with pytest.raises(OperatorError, match=r"monotone: at a=.* the value is NaN; give the domain"):
        register(Operator(name="log_all", forward=torch.log, tangent="da/a", cost=9.0, monotone=("increasing",)))


def test_numbers_beside_tensors_are_probed(own: list[str]) -> None:
    register(HYPOT)
    own.append("hypot")
    with pytest.raises(OperatorError, match="failed with Python numbers beside input"):
        register(replace(HYPOT, name="hypot2", forward=torch.hypot))


def test_a_wrong_partial_of_the_second_input_is_found() -> None:
    with pytest.raises(OperatorError, match="the derivative by b is"):
        register(replace(HYPOT, name="hypot3", tangent="(a*da+a*db)/y"))
