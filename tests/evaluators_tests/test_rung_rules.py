"""The contract of rung rules: what every registered rule keeps to."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.errors import EvaluationError
from evaluators.rejection import RULES, SMALLEST_SET, CalibrationSet, RecallTarget, RungRule, Thresholds, rung_rule
from evaluators.rejection.recall import cheapest, compute
from evaluators.results.json_codec import Fields
from evaluators.results.records import CohortResult, MemberResult
from evaluators.training.member import Array
from search.records.cohort import CohortRecord, Plan
from search.records.cohort_codec import record_from_json, record_to_json

RUNGS = [(task, step) for task in ("one", "two") for step in (4, 8, 16)]
WORK = (12, 8, 16) * 2
TARGET = RecallTarget(0.8, 0.1)


def rows(seed: int, count: int = 300) -> Array:
    """Relative losses that come nearer to the final one from rung to rung; a tenth fails."""
    rng = np.random.Generator(np.random.PCG64(seed))
    found: Array = rng.normal(size=(count, 1)) + rng.normal(size=(count, 6)) * np.linspace(1.0, 0.0, 6)
    failed, first = rng.random((count, 1)) < 0.1, rng.integers(0, 6, size=(count, 1))
    found[failed & (np.arange(6) >= first)] = math.inf
    return found


def learnt(rule: RungRule, given: Array) -> Thresholds:
    return rule.calibrate(CalibrationSet(given, RUNGS, WORK), TARGET)


@pytest.fixture(params=RULES)
def rule(request: pytest.FixtureRequest) -> RungRule:
    return rung_rule(request.param)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_a_function_of_the_set_whatever_the_order(rule: RungRule, seed: int) -> None:
    given = rows(seed)
    shuffled = np.random.Generator(np.random.PCG64(1)).permutation(given)
    assert learnt(rule, given) == learnt(rule, given) == learnt(rule, shuffled)


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_are_finite_and_belong_to_rungs_in_their_order(rule: RungRule, seed: int) -> None:
    found = learnt(rule, rows(seed))
    assert list(found) == RUNGS[: len(found)]  # a cohort's file has the numbers alone
    assert len(found) < len(RUNGS)  # the end is no rung
    assert all(math.isfinite(limit) for limit in found.values())


def test_too_small_a_set_and_one_of_failures_calibrate_nothing(rule: RungRule) -> None:
    assert learnt(rule, rows(0, SMALLEST_SET - 1)) == {}
    assert learnt(rule, np.array([])) == {}
    assert learnt(rule, np.full((200, 6), math.inf)) == {}


def test_one_rung_alone_is_the_end(rule: RungRule) -> None:
    assert rule.calibrate(CalibrationSet(rows(0)[:, -1:], RUNGS[:1], WORK[:1]), TARGET) == {}


def test_a_smaller_relative_loss_never_goes_where_a_larger_one_stays(rule: RungRule) -> None:
    thresholds, losses = learnt(rule, rows(2)), [-math.inf, *np.linspace(-4.0, 4.0, 200).tolist(), math.inf]
    for rung in RUNGS:
        goes = [rule.decide(thresholds, rung, loss) is not None for loss in losses]
        assert goes == sorted(goes)


def test_without_thresholds_all_go_on(rule: RungRule) -> None:
    assert rule.decide({}, RUNGS[0], math.inf) is None
    assert rule.decide(learnt(rule, rows(0)), ("another", 4), math.inf) is None


def test_what_it_learnt_comes_back_from_a_cohorts_file(rule: RungRule) -> None:
    thresholds, now = learnt(rule, rows(3)), datetime.now(UTC)
    table = np.ones((2, 2))
    relu = MemberResult({task: {step: table for name, step in RUNGS if name == task} for task in ("one", "two")})
    record = CohortRecord(Plan(0, (), {}, thresholds), ("one", "two"), now, now, CohortResult((), {"relu": relu}))
    written = json.loads(json.dumps(record_to_json(record), allow_nan=False))
    assert written["thresholds"] == list(thresholds.values())
    assert record_from_json(Fields(written, "file")).plan.thresholds == thresholds


def test_a_rule_is_found_by_its_name(rule: RungRule) -> None:
    assert RULES[rule.name] is rule
    with pytest.raises(EvaluationError, match=f"unknown rung rule '{rule.name}x'; did you mean '{rule.name}'"):
        rung_rule(f"{rule.name}x")


def test_the_median_lets_half_go_on() -> None:
    given = rows(4)
    thresholds = learnt(rung_rule("median"), given)
    for column, (rung, limit) in zip(given.T, thresholds.items(), strict=False):
        there = column[np.isfinite(column)]
        assert abs((there <= limit).mean() - 0.5) < 0.01, rung


def test_it_says_what_it_rejects_if_it_rejects_anything(rule: RungRule) -> None:
    assert bool(rule.describe(TARGET)) == bool(learnt(rule, rows(0)))


@given(st.integers(0, 999), st.integers(2, 30), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_cheapest_thresholds_are_those_of_trying_each_row(seed: int, best: int, spare: int) -> None:
    """With ties and infinite losses, which many rows have."""
    rng = np.random.default_rng(seed)
    rows = np.round(rng.normal(size=(60, 4)), 1)
    rows[rng.random(rows.shape) < 0.05] = np.inf
    good, work = np.arange(60) < best, (5, 5, 10, 20)
    kept = list(rows[good][np.lexsort(rows[good].T)])

    def worst(some: list[Array]) -> tuple[float, ...]:
        return tuple(np.max(some, axis=0)[:-1].tolist())

    for _ in range(min(spare, len(kept) - 1)):
        rest = [kept[:i] + kept[i + 1 :] for i in range(len(kept))]
        kept = min(rest, key=lambda some: (compute(rows, worst(some), work), worst(some)))
    assert cheapest(rows, good, work, spare) == worst(kept)
