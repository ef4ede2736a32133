"""Equivalence at three strengths, canonical form, and the analysis they rest on."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from primitives import Expression, canonical, catalogue, fingerprint, finite, moments, parse, same_function
from primitives.grammars import grammar

EXACT = [
    ("add(tanh(x),selu(x))", "add(selu(x),tanh(x))"),
    ("sigmoid(x)", "0.5*tanh(0.5*x)+0.5"),
    ("x*sigmoid(x)", "silu(x)"),
    ("gelu(x)", "0.5*x*(1+erf(x/sqrt(2)))"),
    ("max(x,0)", "relu(x)"),
    ("x*sigmoid(b*x); b=1", "sigmoid(beta*x)*x; beta=1"),
    ("a*x+b*sin(x); a=1, b=1", "b*x+a*sin(x); b=1, a=1"),
]
SCALE = [("2*relu(x)", "relu(x)"), ("0.1*gelu(x)", "gelu(x)")]
AFFINE = [("2*relu(x)+1", "relu(x)"), ("1-relu(x)", "relu(x)"), ("erf(x)", "1-erf(x)")]
DIFFERENT = [("relu(x)", "relu(-x)"), ("sigmoid(x)", "tanh(x)"), ("x*sigmoid(b*x); b=1", "silu(x)"),
             ("b*x; b=1", "b*x; b=1:channel")]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), EXACT)
def test_equal_functions_share_all_classes(left: str, right: str) -> None:
    assert fingerprint(parse(left)) == fingerprint(parse(right))
    assert same_function(parse(left), parse(right))


@pytest.mark.parametrize(("left", "right"), SCALE)
def test_a_positive_factor_keeps_the_scale_class(left: str, right: str) -> None:
    f, g = parse(left), parse(right)
    assert f.exact_class() != g.exact_class()
    assert f.scale_class() == g.scale_class()
    assert same_function(f, g, scale=True) and not same_function(f, g)


@pytest.mark.parametrize(("left", "right"), AFFINE)
def test_an_affine_map_keeps_the_affine_class(left: str, right: str) -> None:
    f, g = parse(left), parse(right)
    assert f.scale_class() != g.scale_class()
    assert f.affine_class() == g.affine_class()


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_functions_share_no_class(left: str, right: str) -> None:
    f, g = fingerprint(parse(left)), fingerprint(parse(right))
    assert not {f.exact, f.scale, f.affine} & {g.exact, g.scale, g.affine}


def test_what_differs_outside_the_points_is_found_by_verification() -> None:
    assert not same_function(parse("relu(x)"), parse("relu6(x)"))


def test_catalogue_has_264_curves_and_no_false_merge() -> None:
    """318 rows, 264 distinct at 1e-9, as the catalogue's notes count; rows with parameters at their defaults."""
    fixed = [freeze(entry.expression) for entry in catalogue()]
    groups: dict[str, list[Expression]] = {}
    for expression in fixed:
        groups.setdefault(expression.exact_class(), []).append(expression)
    assert len(groups) == 264
    points = torch.linspace(-5.0, 5.0, 1001, dtype=torch.float64)
    for group in groups.values():
        for other in group[1:]:
            torch.testing.assert_close(other(points), group[0](points), rtol=1e-8, atol=1e-9)


def freeze(expression: Expression) -> Expression:
    """The expression with its parameters as constants."""
    body, _, _ = expression.text.partition(";")
    from primitives import constant
    from primitives.text import parse_body

    return parse_body(body, {p.name: constant(p.initial) for p in expression.parameters})


def test_canonical_form_keeps_the_function_and_does_not_grow() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    x = torch.linspace(-3.0, 3.0, 101, dtype=torch.float64)
    for _ in range(500):
        expression = grammar("default").sample(rng)
        form = canonical(expression)
        assert form.size <= expression.size
        assert canonical(form) is form
        left, right = expression(x), _in_order(expression, form, x)
        both = torch.isfinite(left)
        torch.testing.assert_close(left[both], right[both], rtol=1e-9, atol=1e-12)


def _in_order(expression: Expression, form: Expression, x: torch.Tensor) -> torch.Tensor:
    assert {p.initial for p in form.parameters} <= {p.initial for p in expression.parameters}
    return form(x)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("--x", "x"), ("x*1+0", "x"), ("relu(relu(x))", "relu(x)"), ("2*3*x", "x*6"), ("x*x", "x**2"),
     ("abs(x)**2", "x**2"), ("max(x,x)", "x"), ("sin(x)+-x", "sin(x)-x"), ("exp(0)+x", "x+1")],
)  # fmt: skip
def test_identities(text: str, expected: str) -> None:
    assert parse(text).canonical().text == expected


# E f, E f^2, E f'^2, gain, chi at z ~ N(0,1), by quadrature
MOMENTS = {
    "relu(x)": (0.3989, 0.5000, 0.5000, 1.4142, 1.0000), "tanh(x)": (0.0, 0.3943, 0.4644, 1.5925, 1.1778),
    "silu(x)": (0.2066, 0.3558, 0.3795, 1.6765, 1.0666), "gelu(x)": (0.2821, 0.4252, 0.4559, 1.5335, 1.0720),
    "elu(x)": (0.1605, 0.6449, 0.6681, 1.2452, 1.0359), "selu(x)": (0.0, 1.0, 1.0716, 1.0, 1.0716),
    "mish(x)": (0.2404, 0.4523, 0.4791, 1.4868, 1.0591), "x*exp(-exp(-x))": (0.2589, 0.3196, 0.3475, 1.7688, 1.0872),
    "softplus(x)": (0.8061, 0.9212, 0.2934, 1.0419, 0.3185), "sigmoid(x)": (0.5, 0.2934, 0.0448, 1.8462, 0.1528),
    "sin(x)": (0.0, 0.4323, 0.5677, 1.5209, 1.3130), "x+sin(x)**2": (0.4323, 1.3074, 1.4998, 0.8746, 1.1472),
    "exp(-x**2/2)": (0.7071, 0.5774, 0.1925, 1.3161, 0.3333), "relu(x)**2": (0.5, 1.5, 2.0, 0.8165, 1.3333),
    "erf(x)": (0.0, 0.4646, 0.5694, 1.4672, 1.2257),
}  # fmt: skip


@pytest.mark.parametrize("text", MOMENTS)
def test_moments_equal_the_reference(text: str) -> None:
    m = moments(parse(text))
    assert (m.mean, m.second, m.slope, m.factor, m.chi) == pytest.approx(MOMENTS[text], abs=6e-5)


def test_moments_of_a_zero_function_are_no_error() -> None:
    assert math.isnan(moments(parse("x-x")).factor)


def test_finite_sees_value_and_gradient_in_each_type() -> None:
    assert finite(parse("gelu(x)"), torch.float32)
    assert not finite(parse("sqrt_abs(x)"), torch.float32)  # infinite slope at 0
    assert not finite(parse("exp(x)"), torch.float16)  # overflows above 11.09
    assert not finite(parse("1/(1+x**4)"), torch.float16)  # 4x**3 overflows above 25.4
