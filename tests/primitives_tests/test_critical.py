"""The scale of the input at which gradients keep their size: reference values, what it does not depend on, its rule."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from primitives import parse
from primitives.analysis import critical, critical_scale, moments
from primitives.analysis.critical import TOLERANCE, chi_at
from primitives.catalogue import catalogue
from primitives.errors import ExpressionError
from primitives.expression.evaluation import evaluate

SMOOTH = ("sin(x)", "tanh(x)", "exp(-x**2/2)", "sigmoid(x)", "x*sigmoid(x)", "relu(x)**2")


@pytest.mark.parametrize(("text", "root"), [("exp(-x**2/2)", 1.5538), ("sigmoid(x)", 6.7546), ("relu(x)", 0.02)])
def test_gains_balance_where_they_should(text: str, root: float) -> None:
    """VI3NR's condition at zero bias; of ReLU everywhere."""
    assert chi_at(parse(text), root) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("text", SMOOTH)
def test_chi_at_one_is_that_of_the_moments(text: str) -> None:
    assert chi_at(parse(text), 1.0) == pytest.approx(moments(parse(text)).chi, rel=1e-4)


@pytest.mark.parametrize("scale", [0.01, 0.3, 3.0, 40.0])
def test_chi_of_sin_by_other_quadrature(scale: float) -> None:
    def mean(values: object) -> float:
        return float(quad(lambda z: values(scale * z) * norm.pdf(z), -9, 9, limit=2000)[0])  # type: ignore[operator]

    expected = scale**2 * mean(lambda u: math.cos(u) ** 2) / mean(lambda u: math.sin(u) ** 2)
    assert chi_at(parse("sin(x)"), scale) == pytest.approx(expected, rel=2e-3)


def test_most_functions_stay_as_they_are() -> None:
    for text in ("relu(x)", "gelu(x)", "silu(x)", "elu(x)", "tanh(x)", "sin(x)", "relu(x)**2", "x**3", "abs(x)"):
        assert critical_scale(parse(text)) == 1.0
        assert critical(parse(text)) is parse(text)


def test_chi_is_near_one_there_and_nowhere_nearer_to_scale_one() -> None:
    moved = 0
    for expression in (entry.expression for entry in catalogue() if entry.expression.is_pointwise):
        scale = critical_scale(expression)
        if scale != 1.0 and abs(math.log(chi_at(expression, scale))) < 1.02 * math.log(TOLERANCE):
            between = [chi_at(expression, scale**share) for share in (0.0, 0.3, 0.6, 0.9)]
            assert not any(abs(math.log(chi)) < 0.98 * math.log(TOLERANCE) for chi in between)
            moved += 1
    assert moved > 50


@pytest.mark.parametrize("form", ["sin({0}*x)", "exp(-({0}*x)**2/2)", "{0}*x*cos({0}*x)"])
@pytest.mark.parametrize("times", [0.02, 0.2, 30.0, 500.0])
def test_steepness_hardly_counts(form: str, times: float) -> None:
    """f(c x) begins with a chi within the tolerance, whatever c is."""
    begun = critical(parse(form.format(times)))
    assert abs(math.log(chi_at(begun, 1.0))) <= 1.02 * math.log(TOLERANCE)


def test_a_factor_does_not_count() -> None:
    for factor in ("5", "0.013", "-7e3"):
        assert critical_scale(parse(f"{factor}*sin(30*x)")) == critical_scale(parse("sin(30*x)"))


def test_it_computes_f_of_the_scaled_input_and_keeps_a_derivative_of_its_own() -> None:
    x = torch.linspace(-3, 3, 41, dtype=torch.float64)
    steep = parse("paired(sin(30*x),tanh(30*x))")
    scale = critical_scale(steep)
    assert scale != 1.0
    (value,) = evaluate((critical(steep),), x, {})
    torch.testing.assert_close(value, torch.sin(30 * scale * x))
    assert critical(steep).text == f"paired(sin(30*({scale}*x)),tanh(30*({scale}*x)))"


def test_parts_of_layers_have_their_own_and_statistics_and_gates_none() -> None:
    both = critical(parse("layers(relu(x),sin(30*x))"))
    assert both is parse(f"layers(relu(x),{critical(parse('sin(30*x)')).text})")
    for text in ("x*mean_np(x)", "sin(30*x)*z", "sin(30*(x-mean_c(x)))"):
        assert critical(parse(text)) is parse(text)
    with pytest.raises(ExpressionError, match="chi: expected a function of one number"):
        chi_at(parse("x*z"), 1.0)


def test_parameters_count_at_their_initial_values() -> None:
    assert critical_scale(parse("sin(w*x); w=30.0:channel")) == critical_scale(parse("sin(30*x)"))


@pytest.mark.parametrize("text", ["sign(x)", "0*x+1", "exp(exp(x**2))"])
def test_functions_without_a_chi_stay_or_come_as_near_as_they_can(text: str) -> None:
    assert 0.0 < critical_scale(parse(text)) <= 1.0
