"""The rule "recall": its thresholds hold the recall on their set and are the cheapest; the exempt are not rejected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.cohort import CohortRequest
from evaluators.rejection import SMALLEST_SET, CalibrationSet, RecallTarget, best_rows, relative_loss, rung_rule
from evaluators.rejection.recall import alive, cheapest, compute
from evaluators.rejection.target import counted
from evaluators.statistics import share_interval
from evaluators.training.member import Array
from tests.plain import ran

STEPS = (1, 1, 2, 4, 8)


def calibrate(rows: Array, work: Sequence[int], target: RecallTarget) -> tuple[float, ...]:
    """The rule's thresholds in the order of the rungs."""
    rungs = [("task", step) for step in range(len(work))]
    found = rung_rule("recall").calibrate(CalibrationSet(rows, rungs, work), target)
    assert list(found) == rungs[: len(found)]
    return tuple(found.values())


def field(seed: int, count: int = 300, noise: float = 1.0, ties: bool = False) -> Array:
    """Rows whose relative losses come nearer to the final value from stage to stage; a tenth fails."""
    rng = np.random.Generator(np.random.PCG64(seed))
    final = rng.normal(size=(count, 1))
    rows: Array = final + noise * rng.normal(size=(count, 5)) * np.array([1.0, 0.7, 0.4, 0.2, 0.0])
    rows = np.round(rows * 2) / 2 if ties else rows
    failed = rng.random(count) < 0.1
    from_stage = rng.integers(0, 5, size=count)
    rows[failed[:, None] & (np.arange(5) >= from_stage[:, None])] = math.inf
    return rows


fields = st.builds(
    field,
    st.integers(0, 10_000),
    st.integers(SMALLEST_SET, 400),
    st.sampled_from([0.0, 0.3, 1.0, 5.0]),
    st.booleans(),
)
quick = settings(max_examples=40, deadline=None)


@quick
@given(fields, st.sampled_from([0.5, 0.8, 0.95, 1.0]), st.sampled_from([0.01, 0.1, 0.3]))
def test_the_recall_holds_on_the_calibration_set(rows: Array, recall: float, top: float) -> None:
    thresholds = calibrate(rows, STEPS, RecallTarget(recall, top))
    best = best_rows(rows[:, -1], RecallTarget(recall, top))
    assert alive(rows, thresholds)[best, -1].sum() >= recall * best.sum() - 1e-9


@quick
@given(fields)
def test_more_recall_never_tightens_a_threshold(rows: Array) -> None:
    tables = np.array([calibrate(rows, STEPS, RecallTarget(recall)) for recall in (0.5, 0.7, 0.9, 0.95, 1.0)])
    assert (np.diff(tables, axis=0) >= 0).all()
    costs = [compute(rows, thresholds, STEPS) for thresholds in tables]
    assert costs == sorted(costs)


@quick
@given(fields, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: Array, random: Any) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    assert calibrate(rows[order], STEPS, RecallTarget()) == calibrate(rows, STEPS, RecallTarget())


@quick
@given(fields)
def test_a_row_that_is_kept_is_not_among_the_failed(rows: Array) -> None:
    thresholds = calibrate(rows, STEPS, RecallTarget())
    assert np.isfinite(thresholds).all()
    assert not alive(rows, thresholds)[np.isinf(rows[:, -2]), -1].any()


def test_one_spare_row_is_the_one_that_saves_most() -> None:
    rows = field(3)
    best = best_rows(rows[:, -1], RecallTarget())
    found = compute(rows, cheapest(rows, best, STEPS, 1), STEPS)
    places = np.flatnonzero(best)
    each = [compute(rows, rows[np.setdiff1d(places, [gone])].max(axis=0)[:-1], STEPS) for gone in places]
    assert found == min(each) < compute(rows, cheapest(rows, best, STEPS, 0), STEPS)


def test_rungs_that_mislead_reject_less() -> None:
    """Early relative losses without any bearing on the end keep nearly all; true ones keep few."""
    true, misleading = field(0, 400, noise=0.3), field(0, 400, noise=0.3)
    rng = np.random.Generator(np.random.PCG64(1))
    for stage in range(2):
        misleading[:, stage] = rng.permutation(misleading[:, stage])
    passed = [alive(rows, calibrate(rows, STEPS, RecallTarget())).mean(axis=0) for rows in (true, misleading)]
    assert passed[0][0] < 0.4
    assert passed[1][0] > 0.7
    best = best_rows(misleading[:, -1], RecallTarget())
    reached = alive(misleading, calibrate(misleading, STEPS, RecallTarget()))
    assert reached[best, -1].mean() >= 0.95


def test_equal_rows_are_all_kept() -> None:
    rows = np.full((SMALLEST_SET, 5), 0.25)
    assert calibrate(rows, STEPS, RecallTarget()) == (0.25,) * 4
    assert alive(rows, calibrate(rows, STEPS, RecallTarget())).all()


def test_small_sets_have_no_thresholds() -> None:
    assert calibrate(field(0, SMALLEST_SET - 1), STEPS, RecallTarget()) == ()
    assert calibrate(np.zeros((0, 5)), STEPS, RecallTarget()) == ()
    assert calibrate(np.array([]), STEPS, RecallTarget()) == ()


def test_a_set_of_failures_rejects_nobody() -> None:
    assert calibrate(np.full((200, 5), math.inf), STEPS, RecallTarget()) == ()


def test_one_stage_has_no_threshold() -> None:
    assert calibrate(field(0)[:, -1:], (8,), RecallTarget()) == ()


def test_the_top_is_wider_in_a_small_set() -> None:
    final = np.arange(300.0)
    assert [best_rows(final, RecallTarget(recall)).sum() for recall in (0.5, 0.9, 0.95, 0.99, 1.0)] == [
        3,
        9,
        19,
        99,
        300,
    ]
    assert best_rows(final, RecallTarget(0.95, 0.2)).sum() == 60
    assert best_rows(np.repeat(final, 2), RecallTarget(0.95, 0.0501)).sum() == 32  # the last of 31 has a twin
    assert best_rows(np.where(final < 5, final, math.inf), RecallTarget()).sum() == 5


def test_rows_that_may_be_lost() -> None:
    assert [counted(rows, RecallTarget())[1] for rows in (100, 1900, 3900, 10_000)] == [0, 0, 1, 4]
    assert counted(256, RecallTarget(1.0)) == (256, 0)


def test_a_new_row_among_the_best_passes_one_threshold_as_often_as_wanted() -> None:
    """One rung, that says nothing of the end: the recall of fresh rows is that of order statistics."""
    rng = np.random.Generator(np.random.PCG64(0))
    passed = []
    for _ in range(300):
        rows = rng.normal(size=(150, 2))
        passed.append((rng.normal(size=100) <= calibrate(rows, (1, 1), RecallTarget(0.8, 0.1))[0]).mean())
    assert np.mean(passed) == pytest.approx(0.8, abs=0.05)


def test_a_relative_loss_takes_each_at_its_best_rate() -> None:
    relu = np.array([[1.0, 2.0], [1.0, 4.0]])
    own = np.array([[9.0, 2.0], [9.0, 0.5]])
    assert relative_loss(own, relu) == pytest.approx(0.0)  # log 2 and log 1/2
    assert relative_loss(own / 2, relu) == pytest.approx(-math.log(2))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_relative_losses_are_never_nan(bad: float) -> None:
    good, broken = np.ones((2, 2)), np.full((2, 2), bad)
    half = np.array([[bad, 1.0], [1.0, 1.0]])
    assert relative_loss(broken, good) == math.inf
    assert relative_loss(half, good) == 0.0  # the other learning rate
    assert relative_loss(good, broken) == relative_loss(broken, broken) == 0.0


def request(*expressions: str, **changes: Any) -> CohortRequest:
    given: dict[str, Any] = {"tasks": ("digits",), "seed": 3, "seeds": 2, "steps": 12, "rungs": (3, 6)}
    return CohortRequest(expressions, **(given | {"rates": (1e-3, 1e-2)} | changes))


def limits(*values: float) -> dict[tuple[str, int], float]:
    """Thresholds at the stages of two tasks, as many as there are values."""
    rungs = [(name, step) for name in ("digits", "digits-10x32") for step in (3, 6, 12)]
    return dict(zip(rungs, values, strict=False))


def test_thresholds_reject_all_but_controls_and_the_exempt() -> None:
    texts = ("tanh(x)", "sin(x)", "x*atan(x)")
    free = ran(request(*texts))
    strict = ran(request(*texts, thresholds=limits(-99.0, -99.0), exempt=("sin(x)",)))
    assert [row["reason"] for row in strict["candidates"]] == ["unpromising", "", "unpromising"]
    assert [list(row["losses"]["digits"]) for row in strict["candidates"]] == [["3"], ["3", "6", "12"], ["3"]]
    assert strict["candidates"][1] == free["candidates"][1]
    assert (strict["controls"], strict["nulls"]) == (free["controls"], free["nulls"])


def test_a_threshold_keeps_who_just_meets_it() -> None:
    free = ran(request("tanh(x)"))
    relu, own = (
        np.array(r["losses"]["digits"]["6"]) for r in (free["controls"]["relu"], free["candidates"][0])
    )  # fmt: skip
    exact = relative_loss(own, relu)
    (kept,) = ran(request("tanh(x)", thresholds=limits(99.0, exact)))["candidates"]
    (gone,) = ran(request("tanh(x)", thresholds=limits(99.0, exact - 1e-12)))["candidates"]
    assert kept == free["candidates"][0]
    assert (gone["reason"], list(gone["losses"]["digits"])) == ("unpromising", ["3", "6"])


def test_the_end_of_a_first_task_is_a_stage() -> None:
    tasks = ("digits", "digits-10x32")
    (row,) = ran(request("sin(x)", tasks=tasks, thresholds=limits(99.0, 99.0, -99.0, 99.0, 99.0)))["candidates"]
    assert (row["reason"], row["failed_on"], list(row["losses"])) == ("unpromising", "digits", ["digits"])
    (row,) = ran(request("sin(x)", tasks=tasks, thresholds=limits(99.0, 99.0, 99.0, -99.0, 99.0)))["candidates"]
    assert (row["failed_on"], list(row["losses"]["digits-10x32"])) == ("digits-10x32", ["3"])


@pytest.mark.parametrize("hits, trials", [(0, 0), (0, 7), (3, 7), (7, 7), (1, 100)])
def test_share_interval_is_that_of_the_exact_binomial_test(hits: int, trials: int) -> None:
    from scipy.stats import binomtest

    low, high = share_interval(hits, trials)
    if not trials:
        assert (low, high) == (0.0, 1.0)
    else:
        expected = binomtest(hits, trials).proportion_ci(0.95, "exact")
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)
