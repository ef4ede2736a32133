"""Objectives of signals at depth: reference constants, closed forms, and who has no number."""

from __future__ import annotations

import math

import pytest
from scipy.stats import norm

from evaluators.errors import EvaluationError
from evaluators.objectives import OBJECTIVES, check_kinds
from evaluators.objectives.formula import FormulaObjective
from primitives.expression.parsing import parse
from tests.primitives_tests.sixteen import FUNCTIONS

# evaluation.md 1.2, at variance 1: chi, C(0), C''(1); kinks have no C''(1)
CONSTANTS = """
relu 1.0000 .3183 - | tanh 1.1778 0 .7614 | silu 1.0666 .1200 .4043 | gelu 1.0720 .1871 .6483 | elu 1.0359 .0400 .2606
selu 1.0716 0 - | mish 1.0591 .1278 .4353 | golu 1.0872 .2096 .7463 | softplus .3185 .7053 .0487
sigmoid .1528 .8521 .0162 | sin 1.3130 0 1.0000 | snake 1.1472 .1430 1.5303 | gauss .3333 .8660 .6667
relu2 1.3333 .1667 1.3333 | smelu .7221 .4073 .3252 | erf 1.2257 0 .9806
"""
ROWS = [cell.split() for line in CONSTANTS.split("\n")[1:-1] for cell in line.split("|")]
#: evaluation.md 1.1, sb = 0.2: beta where V' is at most 1; SELU and ReLU have kinks.
DEPTHS = {"tanh": 7.08, "erf": 6.60, "sin": 8.35, "elu": 7.39, "snake": 2.72, "selu": 0.0, "relu": 0.0}


def number(name: str, text: str) -> float:
    objective = OBJECTIVES[name]
    assert isinstance(objective, FormulaObjective)
    return objective.of(parse(text))


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_reference_constants(row: list[str]) -> None:
    name, chi, at_zero, curvature = row
    text = FUNCTIONS[name]
    assert number("c_slope", text) == pytest.approx(float(chi), abs=0.501e-4)
    assert number("chi", text) == pytest.approx(abs(math.log(number("c_slope", text))), abs=1e-11)
    assert number("c_zero", text) == pytest.approx(float(at_zero), abs=0.501e-4)
    expected = 1e6 if curvature == "-" else pytest.approx(float(curvature), abs=0.501e-4)
    assert number("c_curvature", text) == expected


def test_a_wide_random_layer_has_these_numbers() -> None:
    """Chi of a threshold: P(z > 1) over E max(z - 1, 0)^2, by the normal's own integrals."""
    tail, density = float(norm.sf(1.0)), float(norm.pdf(1.0))
    second = 2.0 * tail - density
    assert number("c_slope", "relu(x-1)") == pytest.approx(tail / second, rel=1e-6)
    assert number("c_zero", "relu(x-1)") == pytest.approx((density - tail) ** 2 / second, rel=1e-6)


@pytest.mark.parametrize("name", ["chi", "c_zero", "c_slope", "c_curvature", "information_depth", "ntk_class"])
@pytest.mark.parametrize("factor", ["1e-3*", "-20*"])
def test_a_factor_does_not_count(name: str, factor: str) -> None:
    assert number(name, f"{factor}tanh(x)") == pytest.approx(number(name, "tanh(x)"), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", DEPTHS)
def test_information_depth(name: str) -> None:
    assert number("information_depth", FUNCTIONS[name]) == pytest.approx(DEPTHS[name], abs=0.501e-2)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, r"V' is 1\.\d+, above 1") for name in ("gelu", "silu", "mish", "golu", "relu2")),
        *((name, "no edge of chaos at a variance from 0.001 to 256") for name in ("softplus", "smelu")),
    ],
)
def test_where_there_is_no_depth_a_job_is_refused(name: str, why: str) -> None:
    """V' above 1: variances run away from the edge (evaluation.md 1.1)."""
    assert math.isnan(number("information_depth", FUNCTIONS[name]))
    with pytest.raises(EvaluationError, match=f"'information_depth': .*{why}"):
        check_kinds(["information_depth"], [parse("tanh(x)"), parse(FUNCTIONS[name])])


@pytest.mark.parametrize("text", ["x", "3", "paired(tanh(x),x)", "layers(tanh(x),relu(x))", "silu(x)*z", "x/rms_c(x)"])
def test_other_kinds_have_no_depth_and_the_reason(text: str) -> None:
    assert OBJECTIVES["information_depth"].lacks(parse(text))
    assert math.isnan(number("information_depth", text))


def test_steps_and_what_has_no_moments_are_the_worst() -> None:
    for text in ("exp(x*x)", "1/x", "sign(x)"):
        assert number("chi", text) == number("c_slope", text) == number("c_curvature", text) == 1e6
        assert number("ntk_class", text) == 0.0
    assert number("c_zero", "exp(x*x)") == 1.0
    assert number("c_zero", "sign(x)") == 0.0


def test_the_map_is_that_of_the_values() -> None:
    """A derivative of its own scales gradients; how alike outputs are it does not change."""
    assert number("c_slope", "paired(tanh(x),x)") == number("c_slope", "tanh(x)")
    assert number("chi", "paired(tanh(x),x)") == pytest.approx(-math.log(0.3943), abs=1e-4)


def test_classes_are_numbers() -> None:
    codes = {"x": 0.0, "relu(x)": 1.0, "silu(x)": 1.0, "x*x-1": 2.0, "tanh(x)": 3.0, "selu(x)": 3.0}
    assert {text: number("ntk_class", text) for text in codes} == codes


def test_one_function_per_place() -> None:
    parts = ("tanh(x)", "relu(x)")
    assert number("chi", "layers(tanh(x),relu(x))") == pytest.approx(sum(number("chi", text) for text in parts) / 2)
    assert number("c_slope", "layers(tanh(x),relu(x))") == number("c_slope", "tanh(x)")
