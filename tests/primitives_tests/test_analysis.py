"""Gaussian features: reference values, torch's constants, independent quadrature, and what has no value."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from primitives import parse, value_at
from primitives.analysis import Gaussian, analyse, finite, moments, output_factor
from primitives.catalogue import catalogue
from primitives.grammars import grammar
from tests.primitives_tests.sixteen import FUNCTIONS

# evaluation.md 1.2, computed there by another quadrature: E f, E f^2, E f'^2, factor, chi, C(0), C'(0), C''(1)
REFERENCE = """
relu .3989 .5000 .5000 1.4142 1.0000 .3183 .5000 -
tanh 0 .3943 .4644 1.5925 1.1778 0 .9305 .7614
silu .2066 .3558 .3795 1.6765 1.0666 .1200 .7027 .4043
gelu .2821 .4252 .4559 1.5335 1.0720 .1871 .5879 .6483
elu .1605 .6449 .6681 1.2452 1.0359 .0400 .8993 .2606
selu 0 1 1.0716 1 1.0716 0 .9707 -
mish .2404 .4523 .4791 1.4868 1.0591 .1278 .7026 .4353
golu .2589 .3196 .3475 1.7688 1.0872 .2096 .5327 .7463
softplus .8061 .9212 .2934 1.0419 .3185 .7053 .2714 .0487
sigmoid .5000 .2934 .0448 1.8462 .1528 .8521 .1455 .0162
sin 0 .4323 .5677 1.5209 1.3130 0 .8509 1.0000
snake .4323 1.3074 1.4998 .8746 1.1472 .1430 .7649 1.5303
gauss .7071 .5774 .1925 1.3161 .3333 .8660 0 .6667
relu2 .5 1.5 2 .8165 1.3333 .1667 .4244 1.3333
smelu .4623 .5248 .3790 1.3803 .7221 .4073 .4763 .3252
erf 0 .4646 .5694 1.4672 1.2257 0 .9136 .9806
"""
COLUMNS = ("mean", "second", "slope", "factor", "chi", "mean_share", "linear_share", "bend")


def gaussian(text: str) -> Gaussian:
    found = analyse(parse(text)).gaussian
    assert found is not None
    return found


@pytest.mark.parametrize("row", REFERENCE.split("\n")[1:-1], ids=lambda row: row.split()[0])
def test_reference_values(row: str) -> None:
    name, *printed = row.split()
    found = gaussian(FUNCTIONS[name])
    for column, text in zip(COLUMNS, printed, strict=True):
        if text == "-":
            assert getattr(found, column) is None
        else:  # half a unit of the fourth decimal, and a little for ties
            assert getattr(found, column) == pytest.approx(float(text), abs=0.501e-4), column


def selu_slope(z: float) -> float:
    return 1.0507009873554805 * (1.0 if z > 0 else 1.6732632423543772 * math.exp(z))


def test_the_reference_of_selu_leaves_out_its_kink() -> None:
    """It gives C''(1) = .5196, which is E f''^2 between kinks; in truth C' has a vertical tangent at 1."""
    assert gaussian("selu(x)").curvature == pytest.approx(0.5196, abs=0.501e-4)

    def drop(step: float) -> float:
        """C'(1) - C'(1 - step) = E (f'(u) - f'(v))^2 / 2."""
        c, r = 1.0 - step, math.sqrt(step * (2.0 - step))

        def given(u: float) -> float:
            def inner(w: float) -> float:
                return 0.5 * (selu_slope(u) - selu_slope(c * u + r * w)) ** 2 * norm.pdf(w)

            return float(quad(inner, -8, 8, points=[min(8.0, max(-8.0, -c * u / r))], limit=200)[0])

        def outer(u: float) -> float:
            return given(u) * float(norm.pdf(u))

        edges = [-6.0, -6 * r, 0.0, 6 * r, 6.0]
        return sum(float(quad(outer, *pair, limit=100)[0]) for pair in itertools.pairwise(edges))

    assert drop(1e-3) / drop(1e-5) == pytest.approx(10.0, rel=0.1)  # 100 for a finite C''(1)


def test_gains_equal_those_of_torch_where_they_mean_the_same() -> None:
    """Not for tanh (5/3) and SELU (3/4), which torch takes from elsewhere."""
    gain = torch.nn.init.calculate_gain
    assert gaussian("relu(x)").factor == pytest.approx(gain("relu"), rel=1e-9)
    assert gaussian("x").factor == pytest.approx(gain("linear"), rel=1e-9)
    for slope in (0.01, 0.2, 0.5):
        text = f"where(x>=0,x,{slope}*x)"
        assert gaussian(text).factor == pytest.approx(gain("leaky_relu", slope), rel=1e-9)


def test_selu_maps_mean_0_and_variance_1_to_themselves() -> None:
    found = gaussian("selu(x)")
    assert found.mean == pytest.approx(0.0, abs=1e-7)
    assert found.second == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize(
    ("text", "published"),
    [("relu(x)", 1.7128585504496627), ("silu(x)", 1.7881293296813965), ("gelu(x)", 1.7015043497085571)],
)
def test_variance_preserving_gains_of_nf_networks(text: str, published: float) -> None:
    """1 / standard deviation; ReLU's in closed form, the others sampled by their authors."""
    found = gaussian(text)
    assert (found.second - found.mean**2) ** -0.5 == pytest.approx(published, rel=1e-7 if text == "relu(x)" else 1e-3)


@pytest.mark.parametrize(
    ("text", "kinks"),
    [
        ("silu(x)", ()),
        ("sin(9*x)+0.3*x", ()),
        ("selu(x)", (0.0,)),
        ("hardtanh(x)*gelu(x)", (-1.0, 1.0)),
        ("max(x,tanh(x)+0.25)", (0.25,)),
        ("abs(x-0.7)*sigmoid(x)", (0.7,)),
        ("where(x>1.5,2,x**3)", (1.5,)),
    ],
)
def test_moments_equal_adaptive_quadrature(text: str, kinks: tuple[float, ...]) -> None:
    f, found = parse(text), gaussian(text)

    def value(z: float) -> float:
        return float(value_at(f, torch.tensor(z, dtype=torch.float64)))

    def expectation(g: Callable[[float], float]) -> float:
        edges = sorted({-9.0, -3.0, 0.0, 3.0, 9.0, *kinks})
        parts = (
            quad(lambda z: g(z) * norm.pdf(z), low, high, epsabs=1e-10, limit=200)[0]
            for low, high in itertools.pairwise(edges)
        )
        return float(sum(parts))

    assert found.mean == pytest.approx(expectation(value), abs=1e-5)
    assert found.second == pytest.approx(expectation(lambda z: value(z) ** 2), rel=1e-5)
    slope = expectation(lambda z: (0.5 * (value(z + 1e-5) - value(z - 1e-5)) / 1e-5) ** 2)
    if "where" not in text:  # a jump: E f'^2 is that between jumps
        assert found.slope == pytest.approx(slope, rel=1e-4)
    odd = expectation(lambda z: (0.5 * (value(z) - value(-z))) ** 2)
    assert found.odd_share * found.second == pytest.approx(odd, rel=1e-4)
    line = expectation(lambda z: (z * z - 1.0) * value(z) ** 2)
    assert 2.0 * found.variance_slope * found.second == pytest.approx(line, rel=1e-4)


def test_hermite_coefficients_of_polynomials_are_exact() -> None:
    found = gaussian("x**3")
    np.testing.assert_allclose(found.hermite, [0, 3, 0, math.sqrt(6), 0, 0, 0, 0, 0], atol=1e-9)
    found = gaussian("x**8/sqrt(40320)")
    assert found.hermite[8] == pytest.approx(1.0, rel=1e-9)
    assert sum(a * a for a in found.hermite) == pytest.approx(found.second, rel=1e-9)


def test_hermite_coefficients_give_the_correlation_map() -> None:
    """ReLU's in closed form (Cho and Saul 2009), at correlations where degrees above 8 do not matter."""
    a = gaussian("relu(x)").hermite
    for c in (-0.4, 0.0, 0.3):
        angle = math.acos(c)
        closed = (math.sin(angle) + (math.pi - angle) * c) / (2 * math.pi)
        assert sum(a_k * a_k * c**k for k, a_k in enumerate(a)) == pytest.approx(closed, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "odd", "exponent"),
    [
        ("tanh(x)", 1.0, 1),
        ("relu(x)", 0.5, 1),
        ("x*x", 0.0, 2),
        ("cos(x)", 0.0, 2),
        ("x**3-3*x", 1.0, 3),
        ("2", 0.0, None),
    ],
)
def test_parity_and_information_exponent(text: str, odd: float, exponent: int | None) -> None:
    found = gaussian(text)
    assert found.odd_share == pytest.approx(odd, abs=1e-9)
    assert found.information_exponent == exponent


@pytest.mark.parametrize("tau", [0.52, 0.84, 1.04, 1.0])
def test_probabilities_at_jumps(tau: float) -> None:
    """Where Gauss-Hermite quadrature is wrong by up to 25 %."""
    assert gaussian(f"where(x>{tau},1,0)").mean == pytest.approx(norm.sf(tau), abs=1e-7)
    assert gaussian(f"relu(x-{tau})").zero_mass == pytest.approx(norm.cdf(tau), abs=1e-7)
    assert gaussian(f"sign(x)*relu(abs(x)-{tau})").zero_mass == pytest.approx(2 * norm.cdf(tau) - 1, abs=1e-7)
    assert gaussian(f"relu(x-{tau})").dead_mass == pytest.approx(norm.cdf(tau), abs=1e-7)


def test_what_has_no_value_is_none() -> None:
    for text in ("1/x", "log(x)", "exp(x*x)", "exp(x*x/4)", "1/(x-0.3)", "0*x", "sqrt(-1-x*x)"):
        assert analyse(parse(text)).gaussian is None, text
    for text in ("sqrt_abs(x)", "log(abs(x))"):  # E f'^2 is infinite, E f^2 is not
        found = gaussian(text)
        assert found.slope is None
        assert found.chi is None
        assert found.curvature is None
    assert gaussian("log(abs(x))").second == pytest.approx(1.6365, rel=3e-3)  # pi^2/8 + (log 2 + Euler's gamma)^2 / 4
    assert gaussian("relu(x)").curvature == 0.0  # nothing for losses with second derivatives
    assert analyse(parse("log(x)")).shape is None
    assert analyse(parse("1/x")).at_zero is None


def test_moments_are_those_of_the_analysis() -> None:
    for known in catalogue()[::7]:
        found, plain = gaussian(known.expression.text), moments(known.expression)
        assert found.mean == pytest.approx(plain.mean, rel=1e-9, abs=1e-12)
        assert found.second == pytest.approx(plain.second, rel=1e-12)
        assert found.factor == pytest.approx(output_factor(known.expression), rel=1e-12)
        if found.slope is not None:
            assert found.slope == pytest.approx(plain.slope, rel=1e-12)
            assert found.chi == pytest.approx(plain.chi, rel=1e-12)


def test_parameters_are_at_their_initial_values() -> None:
    assert analyse(parse("x*sigmoid(b*x); b=1")) == analyse(parse("x*sigmoid(x)"))
    assert analyse(parse("x*sigmoid(b*x); b=2:channel")) == analyse(parse("x*sigmoid(2*x)"))


def test_anything_gives_plain_json() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    texts = [grammar("default").sample(rng).text for _ in range(100)]
    texts += [
        "exp(exp(x))",
        "-exp(exp(exp(x)))",
        "1/(1-x)",
        "sqrt(x)",
        "x**0.5",
        "log(-1-x*x)",
        "x**x",
        "3",
        "floor(x*x)",
    ]
    for text in texts:
        found = analyse(parse(text))
        data = json.loads(json.dumps(dataclasses.asdict(found), allow_nan=False))
        assert set(data) == {"gaussian", "shape", "at_zero", "finite_in"}


def test_finite_types_are_those_of_the_screen() -> None:
    types = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    for text, names in {"x**3": ["float32", "bfloat16"], "silu(x)": list(types), "exp(2*x)": [], "1/x": []}.items():
        assert list(analyse(parse(text)).finite_in) == names
        assert [name for name, dtype in types.items() if finite(parse(text), dtype)] == names
