"""Few-bit backward: levels and borders against brute force, quadrature, and the published ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from primitives import ExpressionError, catalogue, parse, value_at
from primitives.expression.derivative import derivative
from primitives.fewbit.fit import few_bit, least_error, slope_error
from primitives.fewbit.levels import k_means
from primitives.fewbit.line import value_error
from primitives.fewbit.steps import Steps, joined, primitive, steps_of

Function = Callable[[float], float]


def gelu_slope(x: float) -> float:
    return float(norm.cdf(x) + x * norm.pdf(x))


def tanh_slope(x: float) -> float:
    return 1 / math.cosh(x) ** 2


def pieces(steps: Steps, edge: float) -> list[tuple[float, float, float]]:
    """Begin, end and level of each piece on [-edge, edge]."""
    ends = [-edge, *steps.borders, edge]
    return [(a, b, level) for (a, b), level in zip(itertools.pairwise(ends), steps.levels, strict=True)]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_dynamic_programme_equals_brute_force(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(3):
        values, weights = rng.normal(size=6).round(1), rng.uniform(0.1, 1.0, 6)
        found = k_means(values, weights, count)
        assert (np.diff(found) >= 0).all()
        error = (weights * np.min((values[:, None] - found) ** 2, axis=1)).sum()
        best = math.inf
        for groups in itertools.product(range(count), repeat=6):  # each value in any group, neighbours or not
            at = np.array(groups)
            if len(set(groups)) == count:
                means = np.array([np.average(values[at == g], weights=weights[at == g]) for g in range(count)])
                best = min(best, float((weights * (values - means[at]) ** 2).sum()))
        assert error == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "slope", "bits"), [("gelu(x)", gelu_slope, 2), ("tanh(x)", tanh_slope, 2), ("tanh(x)", tanh_slope, 3)]
)
def test_the_fit_of_slopes_is_a_fixed_point_and_its_error_is_that_of_quadrature(
    text: str, slope: Function, bits: int
) -> None:
    """No level and no border can be bettered: a level is the mean of its pieces, a border midway between two levels."""
    found = few_bit(parse(text), bits)
    assert len(found.steps.distinct) == 2**bits
    parts = pieces(found.steps, 12.0)
    error = sum(quad(lambda z, v=v: (slope(z) - v) ** 2 * norm.pdf(z), a, b, epsabs=1e-12)[0] for a, b, v in parts)
    assert found.slope_error == pytest.approx(error, rel=1e-7)
    for level in found.steps.distinct:
        own = [(a, b) for a, b, v in parts if v == level]
        mean = sum(quad(lambda z: slope(z) * norm.pdf(z), a, b)[0] for a, b in own)
        assert level == pytest.approx(mean / sum(norm.cdf(b) - norm.cdf(a) for a, b in own), abs=5e-4)
    for border, (before, after) in zip(found.steps.borders, itertools.pairwise(found.steps.levels), strict=True):
        middle = (before + after) / 2
        assert border == pytest.approx(brentq(lambda x, m=middle: slope(x) - m, border - 0.05, border + 0.05), abs=1e-5)


def test_the_known_levels_of_gelu() -> None:
    """Four levels of two bits, arXiv:2202.00441; a numerical optimum over another grid."""
    found = few_bit(parse("gelu(x)"))
    assert found.steps.levels == pytest.approx([-0.049, 0.308, 0.690, 1.048], abs=0.005)
    assert found.steps.borders == pytest.approx([-0.51, 0.0, 0.51], abs=0.015)
    assert found.slope_error == pytest.approx(0.008, abs=5e-5)


def test_levels_on_both_sides_cost_no_more_bits() -> None:
    """One level serves both sides of 0: four pieces for tanh have an error of 0.0154."""
    found = few_bit(parse("tanh(x)"))
    assert len(found.steps.levels) == 7
    assert found.slope_error < 0.005


@pytest.mark.parametrize(
    ("text", "levels", "borders"),
    [
        ("gelu(x)", (0.0, -0.04922261, 1.04874060, 1.0), (-3.18588100, -0.00117882, 3.19083261)),
        ("silu(x)", (0.0, -0.04060357, 1.04032186, 1.0), (-6.30504610, -0.00086849, 6.32581524)),
    ],
)
def test_the_fit_of_values_gives_the_published_lines(
    text: str, levels: tuple[float, ...], borders: tuple[float, ...]
) -> None:
    """ReGELU2 and ReSiLU2, arXiv:2406.16282: up to the sign of x, since f(x) - x/2 is even, and no better."""
    found = few_bit(parse(text), 2, "value")
    ours = [(found.steps.levels, found.steps.borders)]
    ours += [(tuple(1 - v for v in reversed(ours[0][0])), tuple(-b for b in reversed(ours[0][1])))]
    close = [
        np.allclose(own, levels, rtol=0, atol=2e-3) and np.allclose(at, borders, rtol=0, atol=0.03) for own, at in ours
    ]
    assert all(close)
    assert found.value_error is not None
    assert found.value_error <= value_error(parse(text), Steps(levels, borders))


@pytest.mark.parametrize(("text", "bits"), [("gelu(x)", 1), ("gelu(x)", 3), ("tanh(x)", 2), ("elu(x)", 3)])
def test_a_line_is_the_function_in_its_tails_and_the_best_around(text: str, bits: int) -> None:
    f, found = parse(text), few_bit(parse(text), bits, "value")
    steps = found.steps
    assert len(steps.levels) == 2**bits
    points = np.linspace(-200.0, 200.0, 400_001)
    values = value_at(f, torch.from_numpy(points)).numpy()
    at = np.array([-200.0, *steps.borders, 200.0])
    heights = values[0] + np.concatenate([[0.0], np.cumsum(np.diff(at) * steps.levels)])
    assert heights[-1] == pytest.approx(values[-1], abs=1e-6)

    def error(at: NDArray[np.float64], heights: NDArray[np.float64]) -> float:
        return float(np.trapezoid((values - np.interp(points, at, heights)) ** 2, points))

    assert found.value_error == pytest.approx(error(at, heights), rel=1e-3)
    rng = np.random.default_rng(0)
    inner = slice(2, -2)  # knots that lie on no tail
    for size in (1e-2, 1e-3, 1e-4):
        for _ in range(10):
            knots, moved = at.copy(), heights.copy()
            knots[inner] += rng.normal(0, size, len(knots[inner]))
            moved[inner] += rng.normal(0, size, len(knots[inner]))
            assert error(knots, moved) >= error(at, heights) * (1 - 1e-4)


@pytest.mark.parametrize("fit", ["slope", "value"])
@pytest.mark.parametrize(
    ("text", "bits", "steps"),
    [
        ("relu(x)", 1, Steps((0.0, 1.0), (0.0,))),
        ("relu(x)", 2, Steps((0.0, 1.0), (0.0,))),
        ("hardtanh(x)", 1, Steps((0.0, 1.0, 0.0), (-1.0, 1.0))),
        ("relu6(x)", 3, Steps((0.0, 1.0, 0.0), (0.0, 6.0))),
        ("max(0.1*x,x-20)", 2, Steps((0.1, 1.0), (22.2222222222,))),
        ("3-x", 4, Steps((-1.0,), ())),
    ],
)
def test_a_broken_line_is_its_own_fit(text: str, bits: int, steps: Steps, fit: str) -> None:
    found = few_bit(parse(text), bits, fit)
    assert found.steps.levels == steps.levels
    assert found.steps.borders == pytest.approx(steps.borders)
    assert found.slope_error == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_more_bits_are_better_and_the_pair_has_the_steps(bits: int) -> None:
    for text in ("gelu(x)", "silu(x)", "tanh(x)", "x*atan(x)", "exp(x)"):
        found = few_bit(parse(text), bits)
        assert found.steps.bits == bits
        if bits > 1:
            assert found.slope_error < few_bit(parse(text), bits - 1).slope_error
        x = torch.linspace(-7.0, 7.0, 5_001, dtype=torch.float64) + 1e-4
        torch.testing.assert_close(value_at(found.pair, x), value_at(parse(text), x), rtol=0, atol=0)
        level = torch.tensor(found.steps.levels)[torch.bucketize(x, torch.tensor(found.steps.borders).double())]
        torch.testing.assert_close(value_at(derivative(found.pair), x), level.double(), rtol=1e-6, atol=1e-9)
        assert parse(found.pair.text) == found.pair


def test_the_size_of_the_function_does_not_matter() -> None:
    for fit in ("slope", "value"):
        one, small = few_bit(parse("gelu(x)"), 2, fit), few_bit(parse("1e-9*gelu(x)"), 2, fit)
        assert small.steps.borders == pytest.approx(one.steps.borders, abs=1e-6)
        assert small.steps.levels == pytest.approx([1e-9 * level for level in one.steps.levels], rel=1e-6)


def test_of_a_pair_the_second_part_is_fitted() -> None:
    pair, alone = few_bit(parse("paired(sign(x),tanh(x))")), few_bit(parse("tanh(x)"))
    assert pair.steps == alone.steps
    assert pair.pair.text.startswith("paired(sign(x),")


def test_steps_are_read_off_formulas() -> None:
    for known in catalogue():
        steps = steps_of(known.expression)
        if steps is None:
            continue
        x = torch.linspace(-30.0, 30.0, 60_001, dtype=torch.float64) + 2**0.5 / 1e4
        level = torch.tensor(steps.levels).double()[torch.bucketize(x, torch.tensor(steps.borders).double())]
        torch.testing.assert_close(value_at(derivative(known.expression), x), level, rtol=1e-6, atol=1e-9)
        again = steps_of(parse(primitive(steps)))
        assert again is not None
        assert again.borders == steps.borders
        assert again.levels == pytest.approx(steps.levels)
    names = {k.name for k in catalogue() if k.expression.is_paired and steps_of(k.expression)}
    assert names >= {"HeLU", "ReGELU2", "ReSiLU2", "Sign with straight-through backward"}


@pytest.mark.parametrize(
    "text",
    [
        *("tanh(x)", "tanh(1e6*x)", "relu(b*x); b=1", "floor(x)*x", "x**2", "where(x,2*x,x)", "x*sign(sin(x))"),
        *("x*z", "relu(x-mean_c(x))", "layers(relu(x),x)", "paired(x*z,relu(x))"),
    ],
)
def test_what_is_not_seen_to_be_steps(text: str) -> None:
    assert steps_of(parse(text)) is None


def test_equal_neighbours_are_one_piece() -> None:
    assert joined([0.0, 0.0, 1.0, 1.0], [-1.0, 0.0, 2.0]) == Steps((0.0, 1.0), (0.0,))
    steps = Steps((0.5, -1.0, 0.5), (0.0, 1.0))
    assert (steps.distinct, steps.numbers, steps.bits) == ((-1.0, 0.5), (1, 0, 1), 1)
    assert slope_error(parse("0.5*x"), steps) == pytest.approx(2.25 * (norm.cdf(1) - 0.5))


@pytest.mark.parametrize(
    ("text", "bits", "fit", "message"),
    [
        ("gelu(x)", 0, "slope", r"from 1 to 4, got 0; the nearest is 1"),
        ("gelu(x)", 9, "slope", r"from 1 to 4, got 9; the nearest is 4"),
        ("gelu(x)", 2, "vlaue", r"unknown fit 'vlaue'; did you mean 'value'"),
        ("x*sigmoid(b*x); b=1.5:channel", 2, "slope", r"'b' is learned.*such as 'x\*sigmoid\(1.5\*x\)'"),
        ("log(x)", 2, "slope", r"not finite"),
        ("relu(x)*z", 2, "slope", r"expected a function of x alone"),
        ("paired(gelu(x)*z,relu(x))", 2, "slope", r"expected a function of x alone"),
        ("x/std_cp(x)", 2, "value", r"expected a function of x alone"),
        ("layers(relu(x),gelu(x))", 2, "slope", r"expected a function of x alone"),
        ("sqrt(abs(x))", 2, "slope", r"E f'\(z\)\^2 is not finite"),
        ("sign(x)", 2, "slope", r"derivative is 0.*'paired\(sign\(x\),tanh\(x\)\)'"),
        ("sin(x)", 4, "slope", r"4 bits need \d+ borders.*expected at most 3"),
        ("sin(30*x)", 2, "slope", r"1 bit needs \d+ borders"),
        ("sin(x)", 2, "value", r"no straight line on the left.*the fit 'slope'"),
        ("asinh(x)", 2, "value", r"no straight line"),
        ("exp(x)", 2, "value", r"not finite at"),
        ("tanh(x)", 1, "value", r"tails have one slope, 0.*at least 2 bits"),
        ("where(x>1,x,0)", 2, "value", r"it jumps"),
        ("paired(sign(x),tanh(x))", 2, "value", r"expected the fit 'slope'"),
    ],
)
def test_what_cannot_be_fitted_is_said(text: str, bits: int, fit: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        few_bit(parse(text), bits, fit)


@pytest.mark.parametrize("text", ["relu(x)", "where(x>0,x,0.1*x)", "hardtanh(x)", "abs(x)", "min(relu(x),6)", "3*x"])
def test_two_levels_are_enough_for_broken_lines(text: str) -> None:
    """A border at 6 may be one at the edge of the fit, beyond which are 2e-9 of the inputs."""
    assert least_error(parse(text), 1) == pytest.approx(0.0, abs=2e-9)


@pytest.mark.parametrize(("text", "second"), [("gelu(x)", 0.4559), ("silu(x)", 0.3795), ("elu(x)", 0.6681)])
def test_each_bit_takes_off_more_than_half_of_the_least_error(text: str, second: float) -> None:
    """Without a bit it is the variance of f'(z), at most E f'(z)^2."""
    errors = [least_error(parse(text), bits) for bits in (1, 2, 3)]
    assert second > 2.0 * errors[0] > 4.0 * errors[1] > 8.0 * errors[2] > 0.0


@pytest.mark.parametrize(
    ("text", "levels", "borders"),
    [
        ("gelu(x)", (-0.049, 0.308, 0.690, 1.048), (-0.51, 0.0, 0.51)),
        ("gelu(x)", (0.0, -0.04922261, 1.04874060, 1.0), (-3.18588100, -0.00117882, 3.19083261)),
        ("silu(x)", (0.0, -0.04060357, 1.04032186, 1.0), (-6.30504610, -0.00086849, 6.32581524)),
    ],
)
def test_no_published_levels_have_a_smaller_error(
    text: str, levels: tuple[float, ...], borders: tuple[float, ...]
) -> None:
    """Those of arXiv:2202.00441, which minimise nearly the same, and of arXiv:2406.16282, which fit the values."""
    published, least = slope_error(parse(text), Steps(levels, borders)), least_error(parse(text), 2)
    assert least <= published * (1.0 + 1e-9)
    assert published < 1.01 * least if levels[0] else published > 1.5 * least


def test_the_least_error_is_that_of_the_fit_and_of_initial_parameters() -> None:
    assert least_error(parse("x*sigmoid(beta*x); beta=1.0"), 2) == few_bit(parse("silu(x)")).slope_error
    assert least_error(parse("paired(tanh(x),relu(x))"), 1) == 0.0
    assert least_error(parse("exp(x*x)"), 2) == math.inf
    with pytest.raises(ExpressionError, match="few-bit backward: expected a function of one number"):
        least_error(parse("x*z"), 2)
