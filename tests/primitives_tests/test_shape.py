"""Shape: agreement with the catalogue's columns, closed forms, and what hides kinks from a grid."""

from __future__ import annotations

import math

import mpmath
import pytest

from primitives import apply, constant, parse, variable
from primitives.analysis import Shape, analyse
from primitives.catalogue import Entry, catalogue
from primitives.expression.expression import Expression, with_args
from primitives.expression.traversal import rewrite

MONOTONE = {"yes": "non-decreasing", "decreasing": "non-increasing", "no": "no"}

#: Rows whose column ``smooth`` differs, with what the analysis finds; each has a test of its own below.
EXCEPTIONS = {"Rational 5/4 version B (tanh init)": "Cinf"}


def shape(expression: Expression) -> Shape:
    found = analyse(expression).shape
    assert found is not None
    return found


def entry(name: str) -> Entry:
    return next(known for known in catalogue() if known.name == name)


def within_print(value: float | None, text: str) -> bool:
    """True if a bound is the printed number, which has six significant digits or fewer."""
    if "inf" in text:
        return value is None
    decimals = len(text.partition(".")[2])
    return value is not None and abs(value - float(text)) <= (0.501 * 10.0**-decimals if decimals else 1e-6)


@pytest.mark.parametrize("part", range(6))
def test_the_catalogue_agrees(part: int) -> None:
    wrong = []
    for known in catalogue()[part::6]:
        found = shape(known.expression)
        low, high = known.range[1:-1].split(",")
        if (
            found.smoothness != EXCEPTIONS.get(known.name, known.smooth)
            or found.monotone != MONOTONE[known.monotone]
            or not within_print(found.low, low)
            or not within_print(found.high, high)
        ):
            wrong.append((known.name, known.smooth, known.monotone, known.range, found))
    assert wrong == []


def test_powlu_is_twice_differentiable() -> None:
    """In 60 digits f''(0+) = 1 = f''(0-), and f''' grows without bound: C2."""
    with mpmath.workdps(60):

        def right(x: mpmath.mpf) -> mpmath.mpf:
            return x * x ** (1 / (mpmath.sqrt(x) + 1)) / (1 + mpmath.exp(-x))

        def derivative(order: int, x: mpmath.mpf) -> float:
            return float(mpmath.diff(right, x, order, h=x * mpmath.mpf(10) ** -11))

        near, nearer = mpmath.mpf(10) ** -16, mpmath.mpf(10) ** -24
        assert derivative(1, nearer) == pytest.approx(0.0, abs=1e-20)
        assert derivative(2, nearer) == pytest.approx(1.0, abs=1e-8)
        assert derivative(3, nearer) > 1000 * derivative(3, near) > 1e9
    assert 2 * 0.5 == 1.0  # left of 0 it is x^2 * sigmoid(x): f''(0-) = 2 * sigmoid(0)


def test_the_kinks_of_the_rational_function_are_of_the_size_of_rounding() -> None:
    """Its |q(x)| has zeros near 0; there f' jumps by 2 |q'| |n| / (1 + |q|)^2, 2e-12, because q1 is 6e-7."""
    known = entry("Rational 5/4 version B (tanh init)")
    values = {p.name: p.initial for p in known.expression.parameters}
    q1, q2 = values["q1"], values["q2"]
    for zero in (0.0, -q1 / q2):
        numerator = sum(values[f"n{k}"] * zero**k for k in range(6))
        assert 2 * abs(q1 + 2 * q2 * zero) * abs(numerator) < 2e-12
    assert shape(known.expression).smoothness == "Cinf"


def stretched(expression: Expression, scale: float, shift: float) -> Expression:
    """f(scale * x + shift)."""
    inner = apply("add", apply("mul", constant(scale), variable()), constant(shift))
    return rewrite(expression, lambda node, args: inner if node.op == "x" else with_args(node, args))


@pytest.mark.parametrize(("scale", "shift", "factor"), [(1.37, 0.213, 1.0), (-1.61, 0.0777, -250.0), (2.9, 0.5, 1e-3)])
def test_scales_and_shifts_change_nothing_else(scale: float, shift: float, factor: float) -> None:
    """Kinks then lie anywhere between the points of the grid."""
    for known in catalogue()[::6]:
        plain = shape(known.expression)
        moved = shape(apply("mul", constant(factor), stretched(known.expression, scale, shift)))
        assert moved.smoothness == plain.smoothness, known.name
        turned = {"no": "no", "non-decreasing": "non-increasing", "non-increasing": "non-decreasing"}
        assert moved.monotone == (plain.monotone if scale * factor > 0 else turned[plain.monotone]), known.name
        bounds = (plain.low, plain.high) if factor > 0 else (plain.high, plain.low)
        for found, bound in zip((moved.low, moved.high), bounds, strict=True):
            assert found == (None if bound is None else pytest.approx(factor * bound, rel=1e-5, abs=1e-6)), known.name
        steepest = plain.lipschitz
        assert moved.lipschitz == (
            None if steepest is None else pytest.approx(abs(scale * factor) * steepest, rel=1e-4)
        ), known.name
        slopes = (plain.left_slope, plain.right_slope) if scale > 0 else (plain.right_slope, plain.left_slope)
        for found, slope in zip((moved.left_slope, moved.right_slope), slopes, strict=True):
            expected = None if slope is None else pytest.approx(scale * factor * slope, rel=1e-3, abs=1e-6)
            assert found == expected, known.name


@pytest.mark.parametrize(
    ("text", "smoothness"),
    [
        ("tanh(1e4*x)", "Cinf"),
        ("sin(300*x)", "Cinf"),
        ("exp(-(200*x)**2)", "Cinf"),
        ("x**7-21*x**5", "Cinf"),
        ("exp(x*x)", "Cinf"),
        ("sinc(x)", "Cinf"),
        ("gelu(x)*softplus(3*x-1)", "Cinf"),
        ("relu(x-0.70710678)", "C0"),
        ("x+1e-4*abs(x-1.2345678)", "C0"),
        ("min(x,20.033)", "C0"),
        ("sin(x)+relu(x+31.4159)", "C0"),
        ("sqrt_abs(x)", "C0"),
        ("abs(x)**1.5", "C1"),
        ("relu(x)**2", "C1"),
        ("elu(x-0.3333)", "C1"),
        ("relu(x)**3", "C2"),
        ("max(x,tanh(x))", "C2"),
        ("x**2*abs(x)+100*tanh(x)", "C2"),
        ("sign(x)", "discont"),
        ("floor(0.1*x)", "discont"),
        ("x+1e-4*sign(x-3.33333)", "discont"),
        ("where(x>-44.444,x,0.9*x)", "discont"),
        ("1/x", "discont"),
        ("1/(x-0.3333)**2", "discont"),
        ("log(abs(x))", "discont"),
    ],
)
def test_smoothness(text: str, smoothness: str) -> None:
    assert shape(parse(text)).smoothness == smoothness


@pytest.mark.parametrize(
    ("text", "lipschitz"),
    [
        ("relu(x)", 1.0),
        ("3-0.5*x", 0.5),
        ("selu(x)", 1.0507009873554805 * 1.6732632423543772),
        ("gelu(x)", 0.5 * (1 + math.erf(1)) + math.exp(-1) / math.sqrt(math.pi)),  # at sqrt(2)
        ("sigmoid(40*x-3)", 10.0),
        ("sin(10*x)", 10.0),
        ("tanh(1e4*x)", 1e4),
        ("exp(-x*x/2)", math.exp(-0.5)),
        ("x+abs(x-0.12345)", 2.0),
        ("2", 0.0),
        ("x*x", None),
        ("exp(x)", None),
        ("x*log1p(abs(x))", None),
        ("x*sin(x)", None),
        ("sqrt_abs(x)", None),
        ("sqrt_abs(x)+1000*tanh(x)", None),
        ("x*log(abs(x))", None),
        ("sign(x)", None),
    ],
)
def test_lipschitz(text: str, lipschitz: float | None) -> None:
    assert shape(parse(text)).lipschitz == (None if lipschitz is None else pytest.approx(lipschitz, rel=1e-6))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("atan(x)", -math.pi / 2, math.pi / 2),
        ("x/(1+abs(x))", -1.0, 1.0),
        ("relu(x)+0.2*relu(0.5-x)", 0.1, None),
        ("-exp(x)", None, 0.0),
        ("log1p(abs(x))", 0.0, None),
        ("log1p(log1p(abs(x)))", 0.0, None),
        ("1/(1+log1p(abs(x)))", 0.0, 1.0),
        ("x*sin(x)", None, None),
        ("-1/x**2", None, 0.0),
        ("log(abs(x))", None, None),
        ("sinh(x)-exp(0.5*x)", None, None),
        ("x*exp(x)/(exp(x)+2)", None, None),  # overflows to NaN at 710
        ("cos(x)-0.001*x", None, None),
        ("3", 3.0, 3.0),
    ],
)
def test_bounds(text: str, low: float | None, high: float | None) -> None:
    found = shape(parse(text))
    if text == "x*exp(x)/(exp(x)+2)":
        low = -0.15718493
    tolerance = 0.06 if "log1p(abs(x)))" in text and high == 1.0 else 1e-6  # the slowest of limits
    assert found.low == (None if low is None else pytest.approx(low, abs=tolerance))
    assert found.high == (None if high is None else pytest.approx(high, abs=1e-6))


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("silu(x)", 0.0, 1.0),
        ("where(x>0,x,0.01*x)", 0.01, 1.0),
        ("x*atan(x)", -math.pi / 2, math.pi / 2),
        ("log(cosh(x))", -1.0, 1.0),  # overflows at 710
        ("sqrt_abs(x)+0.5*sin(x)", 0.0, 0.0),
        ("sqrt(x*x+1)-3*x", -4.0, -2.0),
        ("x*x", None, None),
        ("exp(x)", 0.0, None),
        ("x*log1p(abs(x))", None, None),
        ("x*sin(x)", None, None),
        ("x+sin(x)", 1.0, 1.0),
    ],
)
def test_slopes_of_the_tails(text: str, left: float | None, right: float | None) -> None:
    found = shape(parse(text))
    assert found.left_slope == (None if left is None else pytest.approx(left, abs=1e-6))
    assert found.right_slope == (None if right is None else pytest.approx(right, abs=1e-6))


@pytest.mark.parametrize(
    ("text", "monotone"),
    [
        ("tanh(x)", "non-decreasing"),
        ("-softplus(x)", "non-increasing"),
        ("2", "non-decreasing"),
        ("x+sin(x)", "non-decreasing"),
        ("x+1.01*sin(x)", "no"),
        ("gelu(x)", "no"),
        ("x-0.6*relu(x-40)+0.7*relu(x-41)*sign(45-x)", "no"),
        ("floor(x)", "non-decreasing"),
    ],
)
def test_monotone(text: str, monotone: str) -> None:
    assert shape(parse(text)).monotone == monotone
