"""The limit of deep networks: its classes, by iterating the maps of which they are derived."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import eval_hermitenorm, gammaln

from primitives import ExpressionError, parse, value_at
from primitives.analysis import deep_limit
from primitives.analysis.gaussian import normal_grid

TERMS = 60


def shares(text: str) -> NDArray[np.float64]:
    """Of E f^2, those of the Hermite coefficients of degree 0 to 59, by scipy's polynomials; they sum to 1."""
    z, weights = (part.numpy() for part in normal_grid())
    f = value_at(parse(text), normal_grid()[0]).numpy()
    found = [float(weights @ (f * eval_hermitenorm(k, z))) ** 2 / math.exp(gammaln(k + 1.0)) for k in range(TERMS)]
    known = np.array(found) / sum(found)
    return np.where(known > 1e-12, known, 0.0)  # the others are rounding


def kernels(text: str, c: float | NDArray[np.float64], depth: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The covariances and the tangent kernel of inputs of correlations c, behind some layers."""
    b = shares(text)
    slopes = b[1:] * np.arange(1, TERMS)
    near = tangent = np.array(c, dtype=np.float64)
    for _ in range(depth):
        step = np.asarray(np.polynomial.polynomial.polyval(near, slopes), dtype=np.float64)
        near = np.asarray(np.polynomial.polynomial.polyval(near, b), dtype=np.float64)
        tangent = near + tangent * step
    return near, tangent


def kernel(text: str, c: list[float], depth: int) -> NDArray[np.float64]:
    return kernels(text, np.array(c), depth)[1]


@pytest.mark.parametrize("text", ["relu(x)", "gelu(x)", "sigmoid(x)", "softplus(x)", "exp(-x*x/2)"])
def test_in_a_majority_all_are_equally_alike(text: str) -> None:
    assert deep_limit(parse(text)).classifier == "majority"
    far, near = kernel(text, [0.1, 0.8], 3000)
    assert near / far == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("text", ["x*x-1", "x**3-3*x", "cos(x)-exp(-0.5)"])
def test_the_nearest_example_outweighs_all_others(text: str) -> None:
    assert deep_limit(parse(text)).classifier == "nearest"
    ratios = [near / far for far, near in (kernel(text, [0.5, 0.6], depth) for depth in (2, 4))]
    assert ratios[1] > ratios[0] ** 2 > 2.0


@pytest.mark.parametrize("text", ["tanh(x)", "sin(x)", "x+0.3*x**3"])
def test_a_singular_kernel_keeps_all_and_has_its_order(text: str) -> None:
    """Tangent kernel and covariance K part by one K a layer, so that both tend to one kernel. For c to 1 that grows as
    |x - y|^-order, |x - y|^2 = 2 (1 - c).
    """
    found = deep_limit(parse(text))
    assert found.classifier == "singular" and found.order is not None
    gaps = np.array([1e-5, 1e-7, 0.4, 0.7])
    (_, before), (near, after) = (kernels(text, 1.0 - gaps, depth) for depth in (300, 301))
    assert after / near - before / kernels(text, 1.0 - gaps, 300)[0] == pytest.approx(1.0, abs=1e-6)
    assert near[2] > 2.0 * near[3]
    order = -2.0 * math.log(near[1] / near[0]) / math.log(gaps[1] / gaps[0])
    assert found.order == pytest.approx(order, rel=0.02)


def test_order_of_a_closed_form() -> None:
    """f = He_1 + s He_3 has A'^2 = 1 / (1 + 6 s^2) and B' = (1 + 18 s^2) / (1 + 6 s^2)."""
    s = 0.2
    expected = 2.0 * math.log(1 + 6 * s * s) / math.log((1 + 18 * s * s) / (1 + 6 * s * s))
    assert deep_limit(parse(f"x+{s}*(x**3-3*x)")).order == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("text", ["x", "-3*x", "sign(x)", "floor(x)", "paired(tanh(x),x)", "exp(x*x)", "1/x", "0*x"])
def test_other_functions_have_no_known_limit(text: str) -> None:
    assert deep_limit(parse(text)).classifier == "none"


def test_a_gate_is_refused() -> None:
    with pytest.raises(ExpressionError, match="the limit of deep networks: expected a function of one number"):
        deep_limit(parse("x*z"))
