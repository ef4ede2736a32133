"""The scale ``critical`` in training: steep functions begin where they can be trained, others are as with ``unit``."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from evaluators.evaluate import evaluate
from evaluators.machine.backend import Backend
from evaluators.tasks import task
from evaluators.tasks.conditions import Conditions, common_scale, under
from evaluators.training.initialisation import applied_in
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.train import train
from primitives.analysis import critical, moments
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import Family
from tests.evaluators_tests.test_stack_equals_plain import check

STEEP = "sin(w*x); w=30.0:channel"


def best_losses(name: str, scale: str, texts: Sequence[str], seeds: tuple[int, ...] = (1, 2)) -> list[float]:
    """Validation losses after the task's steps, at the best of its rates."""
    chosen = under(task(name), Conditions(scale=scale))
    members = [CohortMember(parse(text), seeds, protected=True) for text in texts]
    outcomes = train(chosen, "search", members, Schedule(chosen.steps, (), chosen.learning_rates))
    return [float(outcome.at(chosen.steps).mean(axis=0).min()) for outcome in outcomes]


@pytest.mark.parametrize("family", ["mlp", "mlp-norm", "cnn", "transformer", "coordinates"])
def test_a_stack_equals_one_model_at_a_time(family: str) -> None:
    members = [CohortMember(parse(STEEP), (1,)), CohortMember(parse("layers(sigmoid(x),sin(9*x))"), (2,))]
    check(Family(family, scale="critical"), members, 20, Backend(dtype=torch.float64), 1e-9)


def test_a_steep_sine_trains_only_with_it() -> None:
    """A network that has learnt nothing has a loss of 1; measured on two CPUs: 1.03, .09 and .09."""
    (stuck,) = best_losses("image-inr", "unit", ["sin(30*x)"])
    steep, sine, flat = best_losses("image-inr", "critical", ["sin(30*x)", "sin(x)", "sin(300*x)"])
    assert stuck > 0.9
    assert max(steep, sine, flat) < 0.2


def test_functions_that_are_near_balance_train_bit_for_bit_as_with_unit() -> None:
    texts = ("relu(x)", "gelu(x)", "tanh(x)")
    assert best_losses("tabular-wine", "critical", texts) == best_losses("tabular-wine", "unit", texts)
    assert best_losses("tabular-wine", "critical", ["sigmoid(x)"]) != best_losses(
        "tabular-wine", "unit", ["sigmoid(x)"]
    )


@pytest.mark.parametrize("text", ["sin(30*x)", "exp(-(0.1*x)**2)", "5*sigmoid(x)"])
def test_what_is_applied_has_unit_output(text: str) -> None:
    applied = applied_in(Family("mlp", scale="critical"), parse(text))
    assert moments(applied).second == pytest.approx(1.0, rel=1e-3)


def test_it_is_asked_for_by_evaluate_and_described_by_lipschitz() -> None:
    """Of f(s x) / sqrt(E f(s z)^2) the slope is that of the sine of the same s, whatever the formula's own."""
    steep, plain = evaluate(
        ["sin(30*x)", critical(parse("sin(30*x)")).text], "tabular-wine", seeds=2, steps=5, scale="critical",
        objectives=["lipschitz"],
    )  # fmt: skip
    assert steep.gain == pytest.approx(plain.gain, abs=1e-3)
    assert steep.objectives["lipschitz"] == pytest.approx(plain.objectives["lipschitz"], rel=1e-3)
    assert 1.0 < steep.objectives["lipschitz"] < 2.0


def test_a_job_of_several_scales() -> None:
    assert common_scale(["critical", "critical"]) == "critical"
    assert common_scale(["critical", "unit"]) == "unit"
    assert common_scale(["critical", "none"]) == "none"
