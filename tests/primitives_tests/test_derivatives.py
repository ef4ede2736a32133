"""Derivatives: symbolic ones equal torch's, for every operator, to higher orders, where torch's are right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from primitives import derivative, evaluate, operators, parse, pointwise
from primitives.grammars import grammar

ARGUMENTS = ["x", "sin(2*x)+0.3", "x*x-1", "cos(x)", "0.7*x"]
POSITIVE = {"log", "log1p", "sqrt", "pow", "pow_clip", "srs"}


def grid(name: str = "") -> Tensor:
    x = torch.linspace(-4.03, 4.01, 500, dtype=torch.float64)
    return x.abs() + 0.1 if name in POSITIVE else x


@pytest.mark.parametrize("name", operators())
def test_derivative_of_every_operator_equals_autograd(name: str) -> None:
    expression = parse(f"{name}({','.join(ARGUMENTS[: operators()[name].arity])})")
    x = grid(name).requires_grad_()
    (expected,) = torch.autograd.grad((expression(x) + 0 * x).sum(), x)
    # torch's own hardsigmoid backward uses a float32 sixth
    tolerance = 1e-7 if name == "hard_sigmoid" else 1e-10
    torch.testing.assert_close(derivative(expression)(x.detach()), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", operators())
def test_second_derivative_equals_finite_differences(name: str) -> None:
    expression = parse(f"{name}({','.join(ARGUMENTS[: operators()[name].arity])})")
    x, step = grid(name)[::7] + 0.0037, 1e-5
    slope = derivative(expression)
    expected = (slope(x + step) - slope(x - step)) / (2 * step)
    found = derivative(slope)(x)
    smooth = (slope(x + step) - slope(x - step)).abs() < 1e-2  # no kink in between
    torch.testing.assert_close(found[smooth], expected[smooth], rtol=1e-4, atol=1e-4)


def test_samples_equal_autograd() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    for _ in range(300):
        expression = grammar("default").sample(rng)
        # values of their own: at equal ones max(beta, beta2) is at a kink
        starts = {p.name: p.initial + 0.07 + 0.1 * n for n, p in enumerate(expression.parameters)}
        values = {n: torch.tensor(v, dtype=torch.float64, requires_grad=True) for n, v in starts.items()}
        x = grid().requires_grad_()
        y = evaluate((expression,), x, values)[0] + 0 * x
        wanted = [x, *values.values()]
        for by, expected in zip(["x", *values], torch.autograd.grad(y.sum(), wanted, allow_unused=True), strict=True):
            with torch.no_grad():
                found = evaluate((derivative(expression, by),), x, values)[0]
            total = found if by == "x" else found.sum()
            usable = torch.isfinite(expected) & torch.isfinite(total)
            torch.testing.assert_close(total[usable], expected[usable], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("text", ["gelu(x)*atan(x)", "x*tanh(softplus(x))", "sinc(x)+x", "where(x>1,x,sin(x))"])
def test_fused_form_nests_to_order_three(text: str) -> None:
    expression = parse(text)
    order: Tensor = torch.linspace(-2.0, 2.3, 11, dtype=torch.float64, requires_grad=True)
    value, by_hand = pointwise(expression, order), expression
    for _ in range(3):
        (value,) = torch.autograd.grad(value.sum(), order, create_graph=True)
        by_hand = derivative(by_hand)
        torch.testing.assert_close(value, by_hand(order.detach()), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("text", ["relu(x)", "max(x,sin(x))", "abs(x)", "min(relu(x),6)", "hardtanh(x)"])
def test_at_a_kink_the_derivative_lies_between_the_one_sided_slopes(text: str) -> None:
    expression, step = parse(text), 1e-7
    x = torch.tensor([-1.0, 0.0, 1.0, 6.0], dtype=torch.float64)
    left, right = (expression(x) - expression(x - step)) / step, (expression(x + step) - expression(x)) / step
    found = derivative(expression)(x)
    assert torch.all(found >= torch.minimum(left, right) - 1e-6)
    assert torch.all(found <= torch.maximum(left, right) + 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "text",
    ["x*exp(-exp(-x))", "x*tanh(exp(x))", "1/(1+exp(-x))", "tanh(sinh(x))", "x*sigmoid(-exp(x))"],
)
def test_a_slope_that_underflows_beats_a_tangent_that_overflows(text: str, dtype: torch.dtype) -> None:
    grid = torch.cat([torch.linspace(-100.0, 100.0, 4001), torch.tensor([0.0, -0.0, 1e-8, -1e-8, 1e4, -1e4])])
    x = grid.to(dtype).requires_grad_()
    (slope,) = torch.autograd.grad(pointwise(parse(text), x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), x)
    assert torch.isfinite(slope).all()
    assert torch.isfinite(second).all()


def test_the_branch_not_taken_cannot_spoil_the_gradient() -> None:
    x = torch.tensor([-200.0, -1.0, 0.0, 1.0, 100.0, 1e4], requires_grad=True)
    (slope,) = torch.autograd.grad(pointwise(parse("where(x>0,x,expm1(x))"), x).sum(), x)
    assert torch.isfinite(slope).all()
