"""Objectives: the cost of formulas and the gains of rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evaluators.objectives import OBJECTIVES, Trained, chosen_losses, cost, gains
from evaluators.objectives.measured import MeasuredObjective
from evaluators.results.records import MemberResult
from primitives.expression.parsing import parse
from tests.plain import member

INNER = ("x", "tanh(x)", "x*sigmoid(beta*x); beta=1.0", "max(x,exp(x))", "gelu(x)")
WRAPPERS = ("exp", "tanh", "sigmoid", "softplus", "asinh", "erf", "mish")


def row(final: list[list[float | None]], reason: str = "", tests: list[list[float]] | None = None) -> MemberResult:
    return member({
        "losses": {"digits": {"8": [[9.0] * len(final[0])] * len(final), "20": final}},
        "tests": {} if tests is None else {"digits": tests},
        "reason": reason,
    })  # fmt: skip


def test_table() -> None:
    assert list(OBJECTIVES)[:2] == ["gain", "cost"]
    larger_is_better = {name for name, o in OBJECTIVES.items() if o.direction == "maximize"}
    over_the_reference = {name for name, o in OBJECTIVES.items() if isinstance(o, MeasuredObjective) and o.relative}
    shares = {"sparsity", "cett_sparsity", "predictivity", "reuse", "accuracy"}
    assert larger_is_better == {"gain", "worst_gain", "information_depth", "ntk_class"} | over_the_reference | shares


def test_cost_of_relu_is_one() -> None:
    assert cost(parse("relu(x)")) == 1.0


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_another_operator_costs_more(inner: str, wrapper: str) -> None:
    body, _, declared = inner.partition(";")
    assert cost(parse(f"{wrapper}({body}); {declared}")) > cost(parse(inner))
    assert cost(parse(f"{body}+{wrapper}(x); {declared}")) > cost(parse(inner))


def test_equal_text_costs_the_same() -> None:
    assert cost(parse("x*sigmoid(x)")) == cost(parse("x * sigmoid( x )"))


def test_shared_subexpressions_cost_once() -> None:
    once, other = cost(parse("exp(x)*exp(x)")), cost(parse("exp(x)*exp(-x)"))
    assert once < other


def test_numbers_cost_nothing() -> None:
    assert cost(parse("tanh(x*exp(2))")) == cost(parse("tanh(x*3)"))


def test_powers_that_torch_multiplies_cost_a_product() -> None:
    assert cost(parse("x**2")) == pytest.approx(cost(parse("x*x")), rel=0.2)
    assert cost(parse("x**2.5")) > 3 * cost(parse("x**2"))


def test_gain_is_the_log_ratio_at_each_ones_best_rate() -> None:
    control = row([[0.4, 0.9], [0.2, 0.9]])
    own = row([[5.0, 0.1], [5.0, 0.4]])
    assert gains(own, control, ["digits"]).tolist() == [[pytest.approx(math.log(4)), pytest.approx(math.log(0.5))]]
    assert not gains(control, control, ["digits"]).any()


def test_gain_of_a_failure_is_nan() -> None:
    control = row([[0.4], [0.2]])
    assert np.isnan(gains(row([[None], [None]], "non-finite"), control, ["digits"])).all()
    assert gains(control, control, ["digits"]).shape == (1, 2)


def test_a_rate_with_a_non_finite_loss_is_not_chosen() -> None:
    assert chosen_losses(row([[0.5, 0.1], [0.5, None]]), "digits") == pytest.approx([0.5, 0.5])


def test_test_losses_are_taken_at_the_rate_of_validation() -> None:
    own = row([[0.5, 0.1]], tests=[[0.2, 0.7]])
    assert chosen_losses(own, "digits", test=True) == pytest.approx([0.7])


def test_a_drop_in_is_compared_at_the_rate_of_the_control() -> None:
    control = row([[0.4, 0.9]], tests=[[0.5, 0.9]])
    own = row([[0.8, 0.1]], tests=[[1.0, 0.25]])
    assert gains(own, control, ["digits"], test=True).tolist() == [[pytest.approx(math.log(2))]]
    assert gains(own, control, ["digits"], test=True, drop_in=True).tolist() == [[pytest.approx(-math.log(2))]]
    diverged = row([[None, 0.1]], tests=[[None, 0.25]])  # type: ignore[list-item]
    assert np.isnan(gains(diverged, control, ["digits"], test=True, drop_in=True)).all()


def test_the_worst_gain_is_that_of_the_task_where_it_is_least() -> None:
    rows = [
        MemberResult({"one": {1: np.array([[a], [a]])}, "two": {1: np.array([[b], [b]])}})
        for a, b in ((1.0, 1.0), (0.5, 2.0))
    ]
    trained = Trained(parse("tanh(x)"), rows[1], 0.0, rows[0], ("one", "two"))
    assert OBJECTIVES["worst_gain"].value(trained) == pytest.approx(-math.log(2))
