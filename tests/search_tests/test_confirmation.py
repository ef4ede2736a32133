"""The decision of confirmation: what it confirms, and that it confirms nothing where there is nothing."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.cohort import CONTROLS
from evaluators.rejection.stability import is_unstable
from evaluators.results.reasons import Reason
from evaluators.results.records import MemberResult
from evaluators.statistics import ALPHA, carried, holm, seeds_needed, sign_flip
from primitives.expression.parsing import parse
from search import Job, Run
from search.confirmation import verdicts
from search.confirmation.comparison import null_gains
from search.confirmation.record import Field
from search.export.export import export
from search.terminal.tables import nulls_line
from tests.plain import confirmation
from tests.search_tests.conftest import Told

SPREAD = 0.3  # nats: standard deviation of a log loss over seeds; a ReLU's gain over a ReLU then has 0.42


def member(losses: np.ndarray) -> MemberResult:
    """One learning rate; validation and test losses alike."""
    return MemberResult({"t": {9: losses[:, None]}}, {"t": losses[:, None]})


def result(rng: np.random.Generator, finalists: int, seeds: int, better: float = 0.0) -> Field:
    """Losses that are lognormal, and independent as those of models with seeds of their own are."""
    candidates = tuple(member(np.exp(rng.normal(-2.0 - better, SPREAD, seeds))) for _ in range(finalists))
    relu = member(np.exp(rng.normal(-2.0, SPREAD, seeds)))
    return Field("t", candidates, {"relu": relu, "gelu": relu, "silu": relu})


@pytest.mark.parametrize("finalists", [1, 3])
def test_a_job_of_relus_confirms_nothing(finalists: int) -> None:
    """In at least 95 % of 200 repetitions, with as few seeds as are allowed."""
    hits = 0
    for repetition in range(200):
        rng = np.random.Generator(np.random.PCG64(repetition))
        found = verdicts([result(rng, finalists, seeds_needed(finalists))], rng)
        hits += any(row.confirmed for row in found)
    assert hits <= 10


def test_the_rate_is_exact_where_all_signs_can_be_counted() -> None:
    """Two finalists on seven seeds: under the null each pattern of signs is as likely as every other.

    Holm's first step asks for p < .025, which 2 of 128 patterns have, all signs alike, one of them positive. Where
    the first finalist falls by the negative one, p < .05 is enough for the other: two more positive patterns.
    """
    seeds, rng = seeds_needed(2), np.random.Generator(np.random.PCG64(0))
    sizes = rng.exponential(size=(2, seeds))
    patterns = np.array(list(itertools.product([-1, 1], repeat=seeds)))
    p_and_gain = [[(sign_flip(row, rng), row.sum()) for row in patterns * own] for own in sizes]
    hits = 0
    for pair in itertools.product(*p_and_gain):
        corrected = holm([p for p, _ in pair])
        hits += any(q < ALPHA and gain > 0 for q, (_, gain) in zip(corrected, pair, strict=True))
    rate = hits / len(patterns) ** 2
    q = 2.0**-seeds
    assert rate == pytest.approx(1 - (1 - q) ** 2 + 2 * q * 2 * q)
    assert rate <= 0.05


def test_what_is_better_on_every_seed_is_confirmed() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    found = verdicts([result(rng, 5, 8, better=3.0)], rng)
    assert all(row.confirmed and row.p_holm == 5 * 2.0**-7 for row in found)
    assert not any(row.confirmed for row in verdicts([result(rng, 5, 7, better=3.0)], rng))  # a seed too few
    assert not any(row.confirmed for row in verdicts([result(rng, 5, 8, better=-3.0)], rng))


def test_the_best_control_is_the_one_to_beat() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    data = result(rng, 1, 8, better=1.5)
    silu = member(np.exp(rng.normal(-6.0, SPREAD, 8)))
    (row,) = verdicts([replace(data, controls={**data.controls, "silu": silu})], rng)
    assert row.best_control == "silu" and row.gain_over_best_control is not None
    assert row.gains["relu"].mean > 0 > row.gain_over_best_control
    assert not row.confirmed


def test_what_is_better_than_the_best_control_alone_is_open() -> None:
    """SiLU looks best on these seeds; ReLU may be, its losses scatter."""
    rng = np.random.Generator(np.random.PCG64(0))
    gains = {"relu": np.tile([2.0, -1.0], 4), "gelu": np.full(8, 0.3), "silu": np.full(8, 0.2)}
    data = Field("t", (member(np.ones(8)),), {name: member(np.exp(values)) for name, values in gains.items()})
    (row,) = verdicts([data], rng)
    assert row.best_control == "silu"
    assert sign_flip(row.by_seed["silu"], rng) == 2.0**-7
    assert row.p == sign_flip(row.by_seed["relu"], rng) > 0.05
    assert not row.confirmed


def test_a_finalist_that_failed_stays_in_the_family() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    data = result(rng, 2, 8, better=3.0)
    broken = MemberResult(reason=Reason.DIVERGED)
    failed, other = verdicts([replace(data, candidates=(broken, data.candidates[1]))], rng)
    assert (failed.reason, failed.p_holm, failed.confirmed) == ("non-finite", 1.0, False)
    assert other.p_holm == 2 * 2.0**-7
    assert other.gain_over_best_control is not None and math.isfinite(other.gain_over_best_control)


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_that_failed_is_not_held_against_a_finalist(control: str) -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    data = result(rng, 2, 8, better=3.0)
    lost = member(np.full(8, np.nan))
    candidates = (data.candidates[0], MemberResult(reason=Reason.RAISED))
    data = replace(data, candidates=candidates, controls={**data.controls, control: lost})
    assert [row.reasons for row in verdicts([data], rng)] == [(Reason.NO_REFERENCE,), (Reason.RAISED,)]
    data = replace(result(rng, 1, 8), candidates=(lost,))
    assert [row.reasons for row in verdicts([data], rng)] == [(Reason.DIVERGED,)]


def test_a_null_control_without_a_number() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    data = replace(result(rng, 1, 8), nulls=(member(np.full(8, np.nan)), member(np.ones(8))))
    found = null_gains([data])
    assert math.isnan(found[0]) and math.isfinite(found[1])
    assert nulls_line(found).endswith(f": -, {found[1]:+.3f}")


def test_the_verdict_follows_from_the_file(small: Path) -> None:
    """Gains by seed are there, so that another program can test them."""
    found = confirmation(Job.load(small).launch("one"))
    assert found is not None
    (row,) = found["finalists"]
    rng = np.random.Generator(np.random.PCG64(0))
    assert {name: float(np.mean(gains)) for name, gains in row["by_seed"].items()} == pytest.approx(
        {name: summary["mean"] for name, summary in row["gains"].items()}
    )
    by_task = [summary["mean"] for summary in row["by_task"].values()]
    assert np.mean(by_task) == pytest.approx(row["gains"]["relu"]["mean"])
    assert all(low <= mean <= high for mean, (low, high) in (task.values() for task in row["by_task"].values()))
    assert row["best_control"] == min(row["by_seed"], key=lambda name: sum(row["by_seed"][name]))
    assert row["p"] == max(sign_flip(gains, rng) for gains in row["by_seed"].values())


def test_what_earlier_looks_tried_stays_in_the_family() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    data = result(rng, 1, 8, better=3.0)
    alone, again = (verdicts([data], rng, earlier)[0] for earlier in ([], [0.4, 0.9, 0.9, 0.9, 0.9, 0.9]))
    assert (alone.p_holm, again.p_holm) == (2.0**-7, 7 * 2.0**-7)
    assert alone.confirmed and not again.confirmed


@given(st.integers(2, 30))
def test_so_many_seeds_carry_so_many_finalists(seeds: int) -> None:
    most = carried(seeds)
    assert not most or seeds_needed(most) <= seeds
    assert seeds_needed(most + 1) > seeds


def test_another_look_at_a_longer_search_counts_the_first(small: Path) -> None:
    run = Job.load(small, ["start=['atan(x)']", "budget=6"]).launch("looks")
    first = confirmation(run)
    again = confirmation(run.resume(changes=["budget=24"]))
    assert first is not None and again is not None
    assert first["earlier"] == []
    tried = {row["expression"] for row in first["finalists"]} - {row["expression"] for row in again["finalists"]}
    assert {row["expression"] for row in again["earlier"]} == tried
    assert tried, "the longer search has the same finalist; choose another seed"


def test_an_unstable_finalist_is_refused_if_the_config_says_so(small: Path) -> None:
    """A parabola trains well for twelve steps, and its gradients can be made to explode."""
    assert is_unstable(parse("x+0.1*x**2"))
    changes = ["start=['x+0.1*x**2']", "cohorts.size=1", "budget=1"]
    reasons = {}
    for stability in (False, True):
        run = Job.load(small, [*changes, f"confirmation.stability={stability}"]).launch(str(stability))
        found = confirmation(run)
        assert found is not None
        (row,) = found["finalists"]
        reasons[stability] = (row["reason"], bool(row["gains"]))
        assert not (stability and row["confirmed"])
    assert reasons == {False: ("", True), True: ("unstable", False)}


def test_a_family_that_the_seeds_no_longer_carry_is_said(small: Path, tmp_path: Path) -> None:
    """Six seeds carry one function; the second one that is looked at cannot be confirmed, nor can the first."""
    run, told = Job.load(small, ["start=['atan(x)']", "budget=6"]).launch("looks"), Told()
    found = confirmation(run.resume(changes=["budget=24"], reporter=told))
    assert found is not None
    assert len(found["earlier"]) == 1, "the longer search has the same finalist; choose another seed"
    line = "no finalist can be confirmed: 2 functions were compared, earlier confirmations included; that needs 7 seeds"
    assert line in told.lines
    export(run, [found["finalists"][0]["id"]], ["torch"], tmp_path / "out")
    (card,) = (tmp_path / "out").glob("*/README.md")
    assert "corrected for 2 that were tried" in card.read_text()


def test_a_damaged_confirmation_is_said_and_written_anew(small: Path) -> None:
    run, told = Job.load(small).launch("one"), Told()
    whole = run.folder.confirmation.read_bytes()
    for damaged in (b"[]", b"{}", whole[:200]):
        run.folder.confirmation.write_bytes(damaged)
        assert run.confirmation() is None and run.status().confirmed is None
    run.confirm(reporter=told)
    assert run.folder.confirmation.read_bytes() == whole
    assert any("confirmation.json is damaged" in line for line in told.lines)


@pytest.mark.parametrize("call", ["search.work.time_ratios", "search.work.ResultCache.clear"])
def test_a_confirmation_killed_after_its_verdicts_is_finished(
    small: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The times and the page follow at resume; nothing is trained again."""
    whole = Job.load(small).launch("whole")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(call, killed)
        Job.load(small).launch("part")
    part = Run.open("part")
    monkeypatch.setattr("search.workers.in_process.run_cohort", killed)
    part.resume()
    assert part.folder.confirmation.read_bytes() == whole.folder.confirmation.read_bytes()
    assert part.timing().keys() == whole.timing().keys()
    assert part.folder.report.exists()
    assert not part.folder.confirming.exists()


def test_a_task_file_that_was_not_searched_has_its_column(small: Path) -> None:
    reference = f"{Path(__file__).with_name('faulty_tasks.py')}:Quiet"
    found = confirmation(Job.load(small, [f"confirmation.unseen={reference}"]).launch("one"))
    assert found is not None
    assert found["setting"]["unseen"] == ["faulty_tasks.py:Quiet"]
    assert all(set(row["unseen"]) == {"faulty_tasks.py:Quiet"} for row in found["finalists"])
