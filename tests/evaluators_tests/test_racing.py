"""A race: each candidate has the bits of a training on the same seeds, whatever its company and interruptions."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.objectives import gains, mean_gain
from evaluators.racing import Lap
from evaluators.results.reasons import Reason
from evaluators.results.records import CohortResult, MemberResult
from evaluators.results.records_codec import controls_digest
from tests.evaluators_tests.families import Family
from tests.evaluators_tests.test_checkpoint import asked, killed_after, results
from tests.evaluators_tests.test_loops import Looped
from tests.plain import ran

TEXTS = ("x*sigmoid(beta*x); beta=1.0:channel", "exp(exp(x))", "sin(3*x)", "tanh(x)", "0.001*x**2", "x*atan(x)")
ALL = -math.inf
PLAIN = CohortRequest(TEXTS, ("digits-2x16",), 1, 1, 16, (4, 8), (1e-3, 1e-2), nulls=1)
LAPS = (Lap(ALL, 1), Lap(0.05, 2))
RACED = replace(PLAIN, race=LAPS)


def alone(request: CohortRequest, before: int, seeds: int, **options: Any) -> CohortResult:
    """Every member on some of the seeds, without a race."""
    return run_cohort(replace(request, race=(), first_seed=before, seeds=seeds), **options)


def same(found: MemberResult, others: list[MemberResult], task: str) -> None:
    """The member's losses are those of the others, one after the other; a learning rate that was left out is NaN."""
    for step, table in found.losses[task].items():
        expected = np.concatenate([each.losses[task][step] for each in others])[: len(table)]
        there = np.isfinite(table)
        assert np.array_equal(table[there], expected[there])
    assert np.isfinite(found.final(task)).any(axis=1).all()


def check(request: CohortRequest, **options: Any) -> CohortResult:
    """Each member of a race equals the same trained apart, and runs the laps whose limits it reaches."""
    found = run_cohort(request, **options)
    parts, before = [], 0
    for more in (request.seeds, *(lap.seeds for lap in request.race)):
        parts.append(alone(request, before, more, **options))
        before += more
    for number, row in enumerate(found.candidates):
        if row.reason:
            continue
        seeds = request.seeds
        for lap in request.race:
            if not mean_gain(row.first(seeds), found.reference.first(seeds), request.tasks) >= lap.limit:
                break
            seeds += lap.seeds
        assert row.seeds == seeds
        for task in request.tasks:
            same(row, [part.candidates[number] for part in parts], task)
    for task in request.tasks:
        same(found.reference, [part.reference for part in parts], task)
    return found


def test_a_candidate_of_a_race_equals_one_that_is_trained_on_the_same_seeds() -> None:
    found = check(RACED)
    seeds = [row.seeds for row in found.candidates if not row.reason]
    assert {2, 4} == set(seeds)
    assert found.reference.seeds == 4
    assert found.seeds == found.controls["gelu"].seeds == found.nulls[0].seeds == 1


@pytest.mark.parametrize("limit", [ALL, 0.05, math.inf])
def test_two_tasks(limit: float) -> None:
    found = check(replace(RACED, tasks=("digits-2x16", "digits-1x8"), race=(Lap(limit, 1), Lap(limit, 1))))
    assert (found.reference.seeds == 1) == (limit == math.inf)


@pytest.mark.parametrize("family", ["cnn", "transformer"])
def test_every_family(family: str) -> None:
    check(replace(RACED, tasks=(family,), rates=(1e-2,), race=(Lap(ALL, 1),)), find=lambda _: Family(family))


def test_a_loop_of_ones_own() -> None:
    looped = Looped()
    found = check(replace(RACED, tasks=("looped",), race=(Lap(ALL, 1),)), find=lambda _: looped)
    assert found.reference is not None and max(row.seeds for row in found.candidates) == 2


def test_dropped_learning_rates_stay_dropped() -> None:
    """At the first rung of the first seeds; a lap does not begin anew."""
    found = check(replace(RACED, rates=(1e-4, 1e-3, 1e-2), drop_worst_rate=True))
    for row in (found.reference, *(row for row in found.candidates if not row.reason)):
        left = np.isfinite(row.final("digits-2x16"))
        assert (left == left[0]).all() and left[0].sum() == 2


def test_nothing_depends_on_company() -> None:
    """A cohort is split where a worker dies."""
    whole = run_cohort(RACED)
    for number, text in enumerate(TEXTS):
        part = run_cohort(replace(RACED, expressions=(text,))).candidates[0]
        row = whole.candidates[number]
        assert part.reason == row.reason and part.seeds == row.seeds
        assert all(np.array_equal(part.final(t), row.final(t), equal_nan=True) for t in row.losses)


@pytest.mark.parametrize("count", range(1, 7))
def test_killed_at_any_rung_of_any_lap_it_goes_on_with_the_same_bits(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_after(monkeypatch, count, asked(tmp_path, RACED))
    assert results(ran(asked(tmp_path, RACED))) == results(ran(RACED))


@pytest.mark.parametrize("count", [7, 11])
def test_killed_in_the_second_task_of_a_lap(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs is decided by what was known before the lap."""
    request = replace(RACED, tasks=("digits-2x16", "digits-1x8"), race=(Lap(0.0, 1), Lap(ALL, 1)))
    killed_after(monkeypatch, count, asked(tmp_path, request))
    assert results(ran(asked(tmp_path, request))) == results(ran(request))


def test_gains_are_paired_on_the_seeds_that_both_have() -> None:
    """Also the learning rates are chosen on these: a gain does not depend on how far others ran."""
    found = run_cohort(RACED)
    short = run_cohort(replace(RACED, race=LAPS[:1]))
    for row, before in zip(found.candidates, short.candidates, strict=True):
        if row.reason:
            assert np.isnan(gains(row, found.reference, RACED.tasks)).all()
        elif row.seeds == before.seeds:
            mine, other = (gains(r, f.reference, RACED.tasks) for r, f in ((row, found), (before, short)))
            assert np.array_equal(mine, other)
        else:
            assert gains(row, found.reference, RACED.tasks).shape == (1, 4)
        assert row.reason or gains(row, found.controls["gelu"], RACED.tasks).shape == (1, 1)


def test_controls_repeat_on_the_seeds_that_all_have() -> None:
    assert controls_digest(run_cohort(RACED)) == controls_digest(run_cohort(PLAIN))


def test_in_a_lap_only_failures_are_rejected_and_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    low = {("digits-2x16", step): -9.0 for step in (4, 8)}
    spared = replace(RACED, thresholds=low, exempt=TEXTS, measured=("sparsity",))
    found = run_cohort(spared)
    assert any(row.seeds > 1 for row in found.candidates)
    assert all(set(row.measured) == {"digits-2x16"} for row in found.candidates if not row.reason)
    first = run_cohort(replace(spared, race=()))
    assert [row.measured for row in found.candidates] == [row.measured for row in first.candidates]
    assert found.candidates[1].reason is Reason.DIVERGED and found.candidates[1].seeds == 1
