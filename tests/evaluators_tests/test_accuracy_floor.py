"""The accuracy floor: who is below it at a rung goes, at the accuracy that the task reads there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evaluators.errors import TaskError
from evaluators.rejection import Judge, check_accuracy, rung_rule
from evaluators.rejection.accuracy import below
from evaluators.results.reasons import Reason
from evaluators.tasks import task
from evaluators.training.member import Array, CohortMember, Outcome, Schedule
from evaluators.training.train import train
from primitives.expression.parsing import parse

TEXTS = ("relu(x)", "sin(x)", "sin(30*x)", "x*atan(x)", "tanh(0.01*x)")
RATES = (1e-3, 3e-3, 1e-2)
STEP = 12


def trained(schedule: Schedule, judge: Judge, *, readings: bool = False) -> list[Outcome]:
    members = [CohortMember(parse(text), (1, 2), protected=not n) for n, text in enumerate(TEXTS)]
    return train(task("digits-cnn-2x4"), "search", members, schedule, judge=judge, readings=readings)


@pytest.fixture(scope="module")
def accuracies() -> list[Array]:
    """Of each function after so many steps, seeds x learning rates."""
    found = trained(Schedule(STEP, (), RATES), Judge(), readings=True)
    return [np.array(outcome.readings["accuracy"]) for outcome in found]


def test_who_is_below_the_floor_at_a_rung_goes(accuracies: list[Array]) -> None:
    best = [float(table.mean(axis=0).max()) for table in accuracies]
    floor = float(np.sort(best[1:])[1:3].mean())  # between two
    outcomes = trained(Schedule(2 * STEP, (STEP,), RATES), Judge(accuracy=floor))
    gone = [outcome.reason is Reason.INACCURATE and list(outcome.losses) == [STEP] for outcome in outcomes]
    assert gone == [False, *(each < floor for each in best[1:])]
    assert 0 < sum(gone) < len(gone)


def test_the_floor_takes_the_place_of_comparisons_with_the_reference() -> None:
    """A wave far too fast is far below ReLU, and more accurate than nothing."""
    schedule = Schedule(150, (), (1e-2,))
    before, after = (trained(schedule, Judge(accuracy=floor)) for floor in (None, 0.01))
    assert before[2].reason in (Reason.FAR_BELOW, Reason.STUCK)
    assert [outcome.reason for outcome in after] == [None] * len(TEXTS)


def test_a_dropped_rate_does_not_count() -> None:
    table = np.array([[0.1, math.nan, 0.3], [0.2, math.nan, 0.5]])
    losses = np.array([[2.0, math.nan, 1.0], [2.0, math.nan, 1.0]])
    assert below(0.4, table, losses) is None
    assert below(0.41, table, losses) is Reason.INACCURATE
    assert below(0.1, table, np.full((2, 3), math.nan)) is Reason.DIVERGED


def test_exemption_spares_nobody_and_controls_stay() -> None:
    members = [
        CohortMember(parse("relu(x)"), (1,), protected=True),
        CohortMember(parse("sin(x)"), (1,), exempt=True),
    ]
    judge = Judge("digits", rung_rule("recall"), {}, 0.999)
    relu, exempt = train(task("digits"), "search", members, Schedule(4, (2,), (1e-3,)), judge=judge)
    assert (relu.reason, exempt.reason) == (None, Reason.INACCURATE)


@pytest.mark.parametrize("name", ["image-inr", "tabular-diabetes"])
def test_a_task_without_accuracy_is_refused(name: str) -> None:
    with pytest.raises(TaskError, match=f"task '{name}': rejection.accuracy: expected a reading 'accuracy'"):
        check_accuracy(task(name))
    check_accuracy(task("digits-cnn"))
    check_accuracy(task("bytes-lm"))
