"""Value and derivatives, fused and plain: they equal torch's, for every operator and order, where torch's are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd import grad, gradcheck, gradgradcheck

from primitives import Activation, Expression, derivative, finite, parse, pointwise, value_at
from primitives.expression.evaluation import evaluate
from primitives.grammars import grammar
from primitives.operators.table import elementwise_operators

ARGUMENTS = ["a*x", "sin(2*x)+b", "x*x-1", "cos(x)", "0.7*x"]
POSITIVE = {"log", "log1p", "sqrt", "pow", "pow_clip", "srs"}
# torch's own hardsigmoid backward uses a float32 sixth
FLOAT32_SIXTH = {"hard_sigmoid"}
BOTH_FORMS = pytest.mark.parametrize("plain", [False, True], ids=["fused", "plain"])


def expression_of(name: str) -> Expression:
    """An operator at inputs that vary with x and with two parameters."""
    return parse(f"{name}({','.join(ARGUMENTS[: elementwise_operators()[name].arity])})+0*a*b; a=1.07, b=0.3")


def grid(name: str = "") -> Tensor:
    x = torch.linspace(-4.03, 4.01, 500, dtype=torch.float64)
    return x.abs() + 0.1 if name in POSITIVE else x


def evaluated(expression: Expression, x: Tensor, *, plain: bool) -> tuple[Tensor, list[Tensor]]:
    """Value, and gradients of its sum by x and by each parameter at every element, away from equal parameters."""
    layer = Activation(expression, channels=x.numel(), plain=plain).double()
    names = [p.name for p in expression.parameters]
    values = [torch.full_like(x, p.initial + 0.07 + 0.1 * n) for n, p in enumerate(expression.parameters)]
    leaves = [t.clone().requires_grad_() for t in (x, *values)]
    # one row, so that no value has the shape of the input; see the failing test of pointwise in test_activation
    y = torch.func.functional_call(layer, dict(zip(names, leaves[1:], strict=True)), (leaves[0].view(1, -1),))
    slopes = grad(y.sum() + 0 * sum(t.sum() for t in leaves), leaves)
    return y.detach().view(-1), list(slopes)


def assert_forms_agree(expression: Expression, x: Tensor, tolerance: float) -> int:
    """Compare where torch's own gradient is a number; there ours must be one. Returns how many were compared."""
    (value, fused), (expected, plain) = (evaluated(expression, x, plain=plain) for plain in (False, True))
    torch.testing.assert_close(value, expected, rtol=1e-14, atol=1e-14, equal_nan=True)
    compared = 0
    for found, slope in zip(fused, plain, strict=True):
        usable = torch.isfinite(expected) & torch.isfinite(slope)
        torch.testing.assert_close(found[usable], slope[usable], rtol=tolerance, atol=tolerance, msg=expression.text)
        compared += int(usable.sum())
    return compared


@pytest.mark.parametrize("name", elementwise_operators())
def test_every_operator_has_torchs_value_and_derivatives(name: str) -> None:
    x = grid(name)
    compared = assert_forms_agree(expression_of(name), x, 1e-7 if name in FLOAT32_SIXTH else 1e-10)
    assert compared > 2.9 * len(x)


@pytest.mark.parametrize("name", ["default", "swish2017-2", "grafs"])
def test_samples_have_torchs_value_and_derivatives(name: str) -> None:
    rng, x = np.random.Generator(np.random.PCG64(0)), grid()[::5] + 0.0037
    compared = [assert_forms_agree(grammar(name).sample(rng), x, 1e-8) for _ in range(334)]
    assert np.mean(np.array(compared) >= len(x)) > 0.9  # sqrt and log have no value left of 0


@pytest.mark.parametrize("name", elementwise_operators())
def test_second_derivative_equals_finite_differences(name: str) -> None:
    slope = derivative(expression_of(name))
    x, step = grid(name)[::7] + 0.0037, 1e-5
    expected = (value_at(slope, x + step) - value_at(slope, x - step)) / (2 * step)
    smooth = (value_at(slope, x + step) - value_at(slope, x - step)).abs() < 1e-2  # no kink in between
    torch.testing.assert_close(value_at(derivative(slope), x)[smooth], expected[smooth], rtol=1e-4, atol=1e-4)


@BOTH_FORMS
@pytest.mark.parametrize("name", [name for name in elementwise_operators() if name != "paired"])
def test_every_operator_can_be_differentiated_twice(name: str, plain: bool) -> None:
    if plain and name == "hard_sigmoid":
        pytest.skip("torch: derivative for aten::hardsigmoid_backward is not implemented")
    layer = Activation(expression_of(name), plain=plain).double()
    x = torch.tensor([-2.317, -0.2345, 0.3711, 1.2717, 3.7123], dtype=torch.float64)
    x = (x.abs() if name in POSITIVE else x).requires_grad_()

    def call(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"a": a, "b": b}, (x,))

    inputs = (x, layer.get_parameter("a"), layer.get_parameter("b"))
    assert gradcheck(call, inputs)
    assert gradgradcheck(call, inputs)


@BOTH_FORMS
@pytest.mark.parametrize("text", ["gelu(x)*atan(x)", "x*tanh(softplus(x))", "sinc(x)+x", "where(x>1,x,sin(x))"])
def test_derivatives_nest_to_order_three(text: str, plain: bool) -> None:
    expression = parse(text)
    x = torch.linspace(-2.0, 2.3, 11, dtype=torch.float64, requires_grad=True)
    value, by_hand = Activation(expression, plain=plain)(x), expression
    for _ in range(3):
        (value,) = grad(value.sum(), x, create_graph=True)
        by_hand = derivative(by_hand)
        torch.testing.assert_close(value, value_at(by_hand, x.detach()), rtol=1e-10, atol=1e-10)


def network(plain: bool) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [Activation(parse(t), 8, plain=plain) for t in ("x*sigmoid(b*x); b=1.2:channel", "sin(a*x)+0.1*x**2; a=1")]
    return nn.Sequential(nn.Linear(2, 8), layers[0], nn.Linear(8, 8), layers[1], nn.Linear(8, 1)).double()


def residual(model: nn.Module) -> Tensor:
    """A physics-informed loss: the squared residual of u_xx + u_yy = u."""
    x = torch.linspace(-1, 1, 14, dtype=torch.float64).view(7, 2).requires_grad_()
    u = model(x)
    (first,) = grad(u.sum(), x, create_graph=True)
    second = sum(grad(first[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(2))
    return (second - u[:, 0]).square().mean()


def gradient_norm(model: nn.Module) -> Tensor:
    """What gradient ascent climbs in the screen for stability: the norm of the gradient by the weights."""
    loss = model(torch.linspace(-1, 1, 14, dtype=torch.float64).view(7, 2)).square().mean()
    return torch.stack([g.square().sum() for g in grad(loss, list(model.parameters()), create_graph=True)]).sum().sqrt()


@BOTH_FORMS
@pytest.mark.parametrize("loss", [residual, gradient_norm])
def test_losses_that_hold_derivatives_reach_the_weights(loss: Callable[[nn.Module], Tensor], plain: bool) -> None:
    model, step = network(plain), 1e-5
    found = grad(loss(model), list(model.parameters()))
    for p, slope in zip(model.parameters(), found, strict=True):
        direction, values = torch.randn_like(p), []
        for sign in (1, -1):
            with torch.no_grad():
                p.add_(sign * step * direction)
            values.append(loss(model).item())
            with torch.no_grad():
                p.sub_(sign * step * direction)
        expected = (values[0] - values[1]) / (2 * step)
        assert (slope * direction).sum().item() == pytest.approx(expected, rel=1e-5, abs=1e-9)


#: One operator at x and numbers; srelu's two halves are both flat at their common edge b, by its own definition.
AT_NUMBERS = {1: "x", 2: "x,0.5", 3: "x,-1,1", 4: "x,1,0.3,0.7", 5: "x,-9,0.1,1,0.2"}
EDGES = [
    0.001,
    *(sign * edge for sign in (1, -1) for edge in (10**0.5, 10 ** (1 / 3), 2.302585092994046, 2.99822295029797)),
]


def one_sided_slopes(expression: Expression, x: Tensor) -> list[Tensor]:
    """torch's derivative just left and just right of each point."""
    slopes = []
    for step in (-1e-9, 1e-9):
        near = (x + step).requires_grad_()
        (slope,) = grad(Activation(expression, plain=True)(near).sum(), near)
        slopes.append(slope)
    return slopes


def kinks_of(name: str) -> Tensor:
    """Points where the one-sided slopes differ; there the derivative is checked to lie between them."""
    expression = parse(f"{name}({AT_NUMBERS[elementwise_operators()[name].arity]})+0*x")
    x = torch.cat([torch.arange(-8.0, 8.25, 0.25, dtype=torch.float64), torch.tensor(EDGES, dtype=torch.float64)])
    left, right = one_sided_slopes(expression, x)
    kink = (left - right).abs() > 1e-3 * (1 + left.abs() + right.abs())
    kink &= torch.isfinite(value_at(expression, x)) & torch.isfinite(left + right) & (left.abs() + right.abs() < 1e4)
    lower, upper = torch.minimum(left, right)[kink] - 1e-6, torch.maximum(left, right)[kink] + 1e-6
    points = x[kink].requires_grad_()
    (fused,) = grad(pointwise(expression, points).sum(), points)
    for found in (value_at(derivative(expression), points.detach()), fused):
        assert torch.all((lower <= found) & (found <= upper)), (name, points, lower, found, upper)
    return points.detach()


@pytest.mark.parametrize("name", elementwise_operators())
def test_at_a_kink_the_derivative_lies_between_the_one_sided_slopes(name: str) -> None:
    kinks_of(name)


@pytest.mark.parametrize(
    ("name", "kinks"),
    [
        ("relu", [0]),
        ("abs", [0]),
        ("relu6", [0, 6]),
        ("hardtanh", [-1, 1]),
        ("hard_sigmoid", [-3, 3]),
        ("max", [0.5]),
        ("clip", [-1, 1]),
        ("selu", [0]),
        ("symlog", []),
        ("keras_hard_sigmoid", [-2.5, 2.5]),
        ("exp_10", [2.302585092994046]),
    ],
)
def test_kinks_are_where_they_are(name: str, kinks: Sequence[float]) -> None:
    assert sorted(kinks_of(name).tolist()) == pytest.approx(kinks)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "text",
    [
        "x*exp(-exp(-x))",
        "x*tanh(exp(x))",
        "1/(1+exp(-x))",
        "x/(1+exp(-x))",
        "tanh(sinh(x))",
        "x*sigmoid(-exp(x))",
        "where(x>0,x,expm1(x))",
        "elish(x)",
    ],
)
def test_neither_an_overflowed_tangent_nor_the_branch_not_taken_spoils_a_slope(text: str, dtype: torch.dtype) -> None:
    x = wide_grid(dtype)
    (slope,) = grad(pointwise(parse(text), x).sum(), x, create_graph=True)
    (second,) = grad(slope.sum(), x)
    assert torch.isfinite(slope).all()
    assert torch.isfinite(second).all()


def wide_grid(dtype: torch.dtype) -> Tensor:
    grid = torch.cat([torch.linspace(-100.0, 100.0, 4001), torch.tensor([0.0, -0.0, 1e-8, -1e-8, 1e4, -1e4])])
    return grid.to(dtype).requires_grad_()


@pytest.mark.parametrize(
    "text", ["log(1+exp(4*x))", "sqrt(abs(x))", "x*log(abs(x))", "1/(1+x**4)", "relu(x)**2/x", "sqrt_abs(x)"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_where_no_slope_is_possible_the_screen_says_so(text: str, dtype: torch.dtype) -> None:
    x = wide_grid(dtype)
    (slope,) = grad(Activation(parse(text))(x).sum(), x)  # relu(x)**2/x is computed by relu
    inside = x.detach().abs() <= 50
    assert bool(torch.isfinite(slope[inside]).all()) == finite(parse(text), dtype)


@pytest.mark.parametrize(
    "text",
    [
        *("sqrt(relu(x))", "sqrt_abs(relu(x))", "relu(x)**0.5", "max(x,0)**a; a=0.7"),
        "signed_sqrt(relu(x))",
        "signed_log(relu(x))",
    ],
)
def test_a_tangent_of_zero_beats_an_infinite_slope(text: str) -> None:
    layer = Activation(parse(text))
    x = torch.linspace(-2, 2, 100, dtype=torch.float64, requires_grad=True)
    (slope,) = grad(layer(x).sum(), x)
    torch.testing.assert_close(slope[:50], torch.zeros_like(slope[:50]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["signed_log", "signed_sqrt"])
def test_evonorms_operators_are_zero_at_zero_and_infinitely_steep(name: str, dtype: torch.dtype) -> None:
    x = torch.tensor([0.0, -0.0], dtype=dtype, requires_grad=True)
    y = Activation(parse(f"{name}(x)"))(x)
    (slope,) = grad(y.sum(), x)
    assert (y == 0).all() and (slope == torch.inf).all()
    wide = torch.tensor([-torch.inf, -3.0, 3.0, torch.inf, torch.nan], dtype=dtype)
    value = value_at(parse(f"{name}(x)"), wide)
    torch.testing.assert_close(value, -value.flip(0).roll(-1), equal_nan=True)  # odd, and NaN stays NaN
    assert value[3] == torch.inf and value[4].isnan()


@pytest.mark.parametrize("dims", [(0, None), (None, 0)])
@pytest.mark.parametrize("text", ["(x>a)*x; a=1", "(a>x)*x; a=1"])
def test_a_comparison_can_be_mapped_over_either_input(text: str, dims: tuple[int | None, int | None]) -> None:
    expression = parse(text)
    x, a = torch.linspace(-2, 2.1, 5), torch.linspace(-1.5, 2.5, 5)
    chosen = [t if dim == 0 else t[0] for t, dim in zip((x, a), dims, strict=True)]
    mapped = torch.func.vmap(lambda x, a: pointwise(expression, x, [a]), in_dims=dims)(*chosen)
    torch.testing.assert_close(mapped, pointwise(expression, chosen[0].expand(5), [chosen[1].expand(5)]))


@pytest.mark.parametrize(
    ("text", "dtype"), [("where(x>0,100000,1)", torch.float16), ("where(x>0,3e38,-3e38)", torch.float32)]
)
def test_a_selection_takes_one_number_whatever_the_other(text: str, dtype: torch.dtype) -> None:
    assert not pointwise(parse(text), torch.tensor([-1.0, 1.0], dtype=dtype)).isnan().any()


@pytest.mark.parametrize("x", [1e-8, 0.001, 0.005, 0.0099, 0.0101, 0.5])
def test_the_slope_of_sinc_prime_near_0(x: float) -> None:
    """By the identity y'' = -y - 2y'/x of y = sin(x)/x at 60 digits; in float64 it cancels."""
    with mpmath.workdps(60):
        t = mpmath.mpf(x)
        first = (mpmath.cos(t) - mpmath.sin(t) / t) / t
        expected = float(-mpmath.sin(t) / t - 2 * first / t)
    (found,) = evaluate((derivative(parse("sinc_prime(x)")),), torch.tensor([x], dtype=torch.float64), {})
    assert found.item() == pytest.approx(expected, rel=1e-11 if x > 0.01 else 1e-15)
