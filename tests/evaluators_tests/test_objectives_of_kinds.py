"""Objectives of the formula for every kind of candidate: right numbers, or a refusal that names the kind."""

from __future__ import annotations

import math

import pytest

from evaluators.errors import EvaluationError
from evaluators.evaluate import evaluate
from evaluators.objectives import OBJECTIVES, check_kinds, cost, lipschitz, saved_bytes
from evaluators.objectives.formula.complexity import complexity
from evaluators.objectives.formula.lipschitz import Lipschitz
from primitives.analysis import output_factor
from primitives.expression.parsing import parse
from primitives.operators.table import operators

TEXTS = (
    "x*sigmoid(v*x)/std_gp(x)*w+b; v=1:channel, w=1:channel, b=0:channel",
    "silu(x)*z",
    "layers(sin(10*x),relu(x),relu(x))",
    "exp(x-max_c(x))/sum_c(exp(x-max_c(x)))",
    "paired(relu(x),relu(x+0.1))*z",
    "paired(relu(x),relu(x+0.1))/rms_c(x)",
    "layers(x/rms_c(x),relu(x))",
)


def _cost_of(name: str) -> float:
    return operators()[name].cost


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", [name for name, each in OBJECTIVES.items() if each.kind == "formula"])
def test_every_kind_has_a_number_or_the_reason(text: str, name: str) -> None:
    objective = OBJECTIVES[name]
    value = objective.of(parse(text))  # type: ignore[attr-defined]
    assert math.isfinite(value) == (not objective.lacks(parse(text)))
    assert value >= 0 or math.isnan(value)


def test_a_layer_costs_three_times_its_large_operators() -> None:
    """x / sqrt(mean(x^2) + eps): the square, the mean and the quotient are as large as x, the root is not."""
    expected = 3.0 * (_cost_of("mul") + _cost_of("mean_c") + _cost_of("div")) / cost_of_relu_pass()
    assert cost(parse("x/rms_c(x)")) == pytest.approx(expected, abs=1e-4)


def cost_of_relu_pass() -> float:
    """ReLU, its slope, and the product with the gradient, as the table has them; by a function of known operators."""
    # sin(x) costs sin + cos + one product
    return (_cost_of("sin") + _cost_of("cos") + _cost_of("mul")) / cost(parse("sin(x)"))


def test_a_gate_has_two_derivatives() -> None:
    """x*z: a product, the slopes z and x, which cost nothing, and two products with the gradient."""
    assert cost(parse("x*z")) == pytest.approx(3.0 * _cost_of("mul") / cost_of_relu_pass(), abs=1e-4)


def test_one_function_per_place_is_the_mean_of_its_functions() -> None:
    parts = [parse(text) for text in ("sin(10*x)", "relu(x)", "relu(x)")]
    whole = parse("layers(sin(10*x),relu(x),relu(x))")
    for value in (cost, saved_bytes):
        assert value(whole) == pytest.approx(sum(map(value, parts)) / 3, abs=1e-4)
    assert lipschitz(whole) == pytest.approx(10.0, rel=1e-6)
    assert Lipschitz().of(whole) == pytest.approx(10.0 * output_factor(parts[0]), rel=1e-6)
    assert complexity(whole) == sum(map(complexity, parts)) + 1


def test_saved_bytes_are_those_of_the_layer() -> None:
    assert saved_bytes(parse("relu(x)*z")) == 8.0  # both inputs
    assert saved_bytes(parse("layers(relu(x)*z,relu(x))")) == 6.0
    # the quotient keeps x and the root, one number for all 64 channels; the square keeps x, the root itself
    assert saved_bytes(parse("x/rms_c(x)")) == pytest.approx(4.0 + 4.0 / 64)


def test_what_has_no_number_is_refused_before_anything_is_trained() -> None:
    check_kinds(["cost", "lipschitz"], [parse("relu(x)"), parse("layers(relu(x),sin(x))")])
    check_kinds(["cost", "saved_bytes", "complexity"], map(parse, TEXTS))
    with pytest.raises(EvaluationError, match=r"'lipschitz'.*silu\(x\)\*z is a gate of x and z"):
        check_kinds(["cost", "lipschitz"], [parse("relu(x)"), parse("silu(x)*z")])
    with pytest.raises(EvaluationError, match=r"x/rms_c\(x\) is a layer with statistics"):
        evaluate(["layers(relu(x),x/rms_c(x))"], objectives=["lipschitz"])
