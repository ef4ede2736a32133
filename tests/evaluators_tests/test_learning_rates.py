"""A member loses its worst learning rate at the first rung; nothing else of it changes by a bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evaluators.cohort import CohortRequest
from evaluators.tasks import task
from evaluators.tasks.base import Task
from evaluators.training.member import CohortMember, Outcome, Schedule, best_rate, better_rates
from evaluators.training.stacking.stack import Stack
from evaluators.training.train import train
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import Family
from tests.evaluators_tests.test_loops import Looped, Stacked
from tests.plain import ran

RUNG_STEPS, RATES = (4, 8, 20), (1e-4, 1e-3, 3e-2)
TEXTS = ("relu(x)", "x*sigmoid(beta*x); beta=1.0:channel", "sin(3*x)", "exp(exp(x))", "c*elu(x); c=0.5")


def outcomes(chosen: Task, *, drop: bool, rates: tuple[float, ...] = RATES, width: int = 200) -> list[Outcome]:
    members = [CohortMember(parse(text), (1, 2), protected=n == 0) for n, text in enumerate(TEXTS)]
    return train(chosen, "search", members, Schedule(RUNG_STEPS[-1], RUNG_STEPS[:-1], rates, drop), width)


@pytest.mark.parametrize("width", [200, 1])
@pytest.mark.parametrize("family", ["mlp-norm", "cnn", "transformer", "coordinates"])
def test_the_worst_goes_and_the_others_keep_their_bits(family: str, width: int) -> None:
    whole, fewer = outcomes(Family(family), drop=False), outcomes(Family(family), drop=True, width=width)
    for before, after in zip(whole, fewer, strict=True):
        assert (list(before.losses), before.reason) == (list(after.losses), after.reason)
        assert np.array_equal(before.at(4), after.at(4), equal_nan=True)
        kept = better_rates(before.at(4))
        assert len(kept) == 2
        for step in list(after.losses)[1:]:
            assert np.array_equal(before.at(step)[:, kept], after.at(step)[:, kept])
            assert np.isnan(np.delete(after.at(step), kept, axis=1)).all()


def test_two_learning_rates_are_both_kept() -> None:
    whole, fewer = (outcomes(task("digits"), drop=drop, rates=RATES[:2]) for drop in (False, True))
    for before, after in zip(whole, fewer, strict=True):
        assert all(np.array_equal(before.at(step), after.at(step), equal_nan=True) for step in before.losses)


def test_the_worst_is_the_one_without_a_number_or_with_the_largest_mean() -> None:
    assert better_rates(np.array([[1.0, 5.0, 2.0], [3.0, 0.0, 2.0]])) == (0, 2)
    assert better_rates(np.array([[1.0, 5.0, np.nan], [3.0, 0.0, 2.0]])) == (0, 1)
    assert best_rate(np.array([[np.nan, 5.0, 4.0]])) == 2


def test_a_loop_of_ones_own_loses_the_same() -> None:
    looped = Looped()
    for own, stacked in zip(outcomes(looped, drop=True), outcomes(Stacked(), drop=True), strict=True):
        assert own.reason == stacked.reason
        assert own.losses.keys() == stacked.losses.keys()
        for step in own.losses:
            assert np.array_equal(np.isnan(own.at(step)), np.isnan(stacked.at(step)))
    assert looped.steps_taken == 2 * (4 * (3 * 4 + 2 * 16) + 3 * 4)  # exp(exp(x)) ends at the first rung


def test_work_counts_the_steps_of_all_learning_rates() -> None:
    assert Schedule(20, (4, 8), RATES, drop_worst=True).work == (12, 8, 24)
    assert Schedule(20, (4, 8), RATES).work == (12, 12, 36)
    assert Schedule(20, (), RATES, drop_worst=True).work == (60,)


def test_objectives_are_measured_at_a_rate_that_is_left() -> None:
    request = CohortRequest(
        ("tanh(x)",), ("digits",), 0, 2, 20, (4,), RATES, measured=("sparsity",), drop_worst_rate=True
    )
    dropped = ran(request)
    whole = ran(CohortRequest(("tanh(x)",), ("digits",), 0, 2, 20, (4,), (*RATES[1:],), measured=("sparsity",)))
    assert dropped["candidates"][0]["measured"] == whole["candidates"][0]["measured"]


def test_a_view_of_one_member_after_rates_were_dropped() -> None:
    members = [CohortMember(parse(text), (1, 2)) for text in TEXTS[:2]]
    trained, other = (Stack(Family("mlp"), "search", members, Schedule(6, (), RATES)) for _ in range(2))
    for stack in (trained, other):
        stack.advance(3)
    trained.keep([0, 1], [(0, 2), (1, 2)])
    assert trained.width == 8
    with trained.alone(1, 2) as view:
        assert torch.equal(view.loss("validation"), other.loss("validation")[[8, 11]])
    whole = other.advance(6)
    assert torch.equal(trained.advance(6), whole[:, [0, 2, 3, 5, 7, 8, 10, 11]])
