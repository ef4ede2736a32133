"""The decision of confirmation: what it confirms, and that it confirms nothing where there is nothing."""

from __future__ import annotations

import math
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from evaluators.comparison import Comparison
from evaluators.controls import CONTROLS
from evaluators.rejection.stability import is_unstable
from evaluators.results.reasons import Reason
from evaluators.results.records import CohortResult, MemberResult
from evaluators.statistics import FEWEST_SEEDS, holm, smallest_effect, t_test
from evaluators.tasks import task
from evaluators.tasks.base import split
from evaluators.tasks.examples import examples_of
from evaluators.tasks.fresh_data import OWN_WEIGHTS, FreshData
from primitives.expression.parsing import parse
from search import Job, Run
from search.confirmation import verdicts
from search.confirmation.comparison import carried_rows, null_gains, reference_readings, smallest_shown
from search.confirmation.field import _joined
from search.confirmation.record import Estimate, Field, Over
from search.errors import DamageError
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
        found = verdicts([result(rng, finalists, FEWEST_SEEDS)])
        hits += any(row.confirmed for row in found)
    assert hits <= 10


def test_overlapping_test_sets_are_allowed_for() -> None:
    """Gains of two seeds are correlated by ratio / (1 + ratio): a test that does not know it confirms noise."""
    ratio, hits = 0.5, {0.0: 0, 0.5: 0}
    for repetition in range(400):
        rng = np.random.Generator(np.random.PCG64(repetition))
        data = result(rng, 1, 12)
        luck = np.exp(rng.normal(scale=math.sqrt(2 * SPREAD**2 * ratio)))  # of the examples, the same for all seeds
        lucky = member(data.candidates[0].tests["t"][:, 0] * luck)
        for asked in hits:
            tested = FreshData("data", asked)
            (row,) = verdicts([replace(data, candidates=(lucky,), tested=tested)])
            hits[asked] += row.confirmed
    assert hits[0.5] <= 20 < 60 < hits[0.0]


def test_the_largest_ratio_of_the_tasks_counts() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    data = result(rng, 1, 8, better=0.3)
    both = [replace(data, tested=FreshData("one", ratio)) for ratio in (0.1, 0.5)]
    (row,) = verdicts(both)
    assert row.p == t_test(row.by_seed["relu"], 0.5)
    assert row.gains["relu"] == Estimate.of(row.by_seed["relu"], 0.5)
    alone = replace(both[1], task="u", candidates=(renamed(data.candidates[0]),))
    controls = {name: renamed(each) for name, each in data.controls.items()}
    (row,) = verdicts([both[0], replace(alone, controls=controls)])
    found = {name: each.p for name, each in row.on_task.items() if each}
    assert found == {"t": t_test(row.by_seed["relu"], 0.1), "u": t_test(row.by_seed["relu"], 0.5)}


def renamed(row: MemberResult) -> MemberResult:
    """The same numbers on the task u."""
    return MemberResult({"u": row.losses["t"]}, {"u": row.tests["t"]})


def test_each_task_has_a_verdict_of_its_own() -> None:
    """Better on one, worse on the other: confirmed on one of two, and in the mean not."""
    rng = np.random.Generator(np.random.PCG64(0))
    good, bad = result(rng, 3, 8, better=2.0), result(rng, 3, 8, better=-2.0)
    bad = Field("u", tuple(map(renamed, bad.candidates)), {name: renamed(row) for name, row in bad.controls.items()})
    for row in verdicts([good, bad]):
        assert {name: each and each.confirmed for name, each in row.on_task.items()} == {"t": True, "u": False}
        assert row.confirmed_on == 1 and not row.confirmed
    alone = verdicts([good])
    for row in alone:
        (each,) = row.on_task.values()
        assert each is not None
        assert (each.p, each.p_holm, each.confirmed) == (row.p, row.p_holm, row.confirmed)
        assert each.over_best == Over(row.best_control or "", row.gains[row.best_control or ""])
    assert [each.p_holm for row in alone for each in row.on_task.values() if each] == holm([row.p for row in alone])


def test_a_task_on_which_it_failed_has_no_verdict() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    good = result(rng, 1, 8, better=2.0)
    lost = Field("u", (MemberResult(reason=Reason.DIVERGED),), {n: renamed(row) for n, row in good.controls.items()})
    (row,) = verdicts([good, lost])
    assert row.reasons == (Reason.DIVERGED,)
    assert row.on_task["u"] is None and row.on_task["t"] is not None and row.confirmed_on == 1


def test_the_smallest_effect_is_that_of_the_pooled_noise() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    found = verdicts([result(rng, 4, 16, better=1.0)])
    deviation = np.sqrt(np.mean([np.var(row.by_seed[row.best_control or ""], ddof=1) for row in found]))
    assert smallest_shown(found, 6, 0.2) == pytest.approx(smallest_effect(16, float(deviation), 6, 0.2))
    assert smallest_shown([replace(row, best_control=None) for row in found], 6, 0.2) is None


def test_gains_by_difference_keep_their_direction() -> None:
    """Seeds are divided and joined again: an accuracy stays one."""
    accuracy = Comparison("maximise", "difference", "accuracy")

    def part(values: list[float]) -> CohortResult:
        row = replace(member(np.array(values)), comparisons={"t": accuracy})
        relu = replace(member(np.array([0.5, 0.5])), comparisons={"t": accuracy})
        return CohortResult((row,), {"relu": relu, "gelu": relu, "silu": relu}, tested={"t": FreshData("data", 0.25)})

    joined = _joined([part([0.7, 0.9]), part([0.6, 0.6])], "t")
    assert joined.ratio == 0.25
    (row,) = verdicts([joined])
    assert row.by_seed["relu"] == pytest.approx([0.2, 0.4, 0.1, 0.1])


def test_readings_are_means_over_the_seeds_at_the_rate_that_is_best_in_validation() -> None:
    """Of finalists, the reference and known functions; where a number is not finite there is none."""
    validation, tests = np.array([[0.3, 0.2], [0.3, 0.2]]), np.array([[0.1, 0.9], [0.1, 0.9]])

    def part(read: list[list[float]]) -> CohortResult:
        row = MemberResult({"t": {9: validation}}, {"t": tests}, readings={"t": {"accuracy": np.array(read)}})
        lost = replace(row, readings={"t": {"accuracy": np.full((2, 2), np.nan)}})
        failed = MemberResult(reason=Reason.RAISED)
        return CohortResult((row, lost, failed), dict.fromkeys(("relu", "gelu", "silu", "Sine"), row))

    joined = _joined([part([[0.0, 0.7], [0.0, 0.9]]), part([[0.0, 0.6], [0.0, 0.6]])], "t")
    mean = {"t": {"accuracy": pytest.approx(0.7)}}
    assert [row.readings for row in verdicts([joined])] == [mean, {}, {}]
    assert reference_readings([joined]) == mean
    (known,) = carried_rows([joined], {"Sine": "sin(x)"})
    assert known.readings == mean
    without = result(np.random.default_rng(0), 1, 4)
    assert verdicts([without])[0].readings == reference_readings([without]) == {}


def test_a_job_keeps_the_accuracies_of_all_that_it_compares(small: Path) -> None:
    run = Job.load(small, ["tasks=[digits, tabular-diabetes]", "baseline.functions=[Tanh]"]).launch("one")
    found = confirmation(run)
    assert found is not None
    names = {"digits": ["accuracy"], "tabular-diabetes": ["R2"]}
    rows = [row["readings"] for row in (*found["finalists"], *found["carried"])]
    assert len(rows) >= 3
    for row in (found["reference_readings"], *rows):
        assert {label: list(by_name) for label, by_name in row.items()} == names
        assert 0.1 < row["digits"]["accuracy"] < 1 and row["tabular-diabetes"]["R2"] < 1
    page = run.folder.report.read_text()
    for label, (name,) in names.items():
        value = found["reference_readings"][label][name]
        assert f"{name} on {label}<small>ReLU: {value:.3f}" in page.replace("−", "-")


def test_what_is_better_on_every_seed_is_confirmed() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    assert all(row.confirmed and row.p < 1e-4 for row in verdicts([result(rng, 5, 8, better=3.0)]))
    assert not any(row.confirmed for row in verdicts([result(rng, 5, 8, better=-3.0)]))


def test_seeds_that_all_say_the_same_confirm_nothing() -> None:
    """They say nothing of the noise: a loop that forgets its seed must not be sure."""
    same = {name: member(np.full(8, 2.0)) for name in ("relu", "gelu", "silu")}
    (row,) = verdicts([Field("t", (member(np.ones(8)),), same)])
    assert row.gain_over_best_control == pytest.approx(math.log(2)) and (row.p, row.confirmed) == (1.0, False)


def test_the_best_control_is_the_one_to_beat() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    data = result(rng, 1, 8, better=1.5)
    silu = member(np.exp(rng.normal(-6.0, SPREAD, 8)))
    (row,) = verdicts([replace(data, controls={**data.controls, "silu": silu})])
    assert row.best_control == "silu" and row.gain_over_best_control is not None
    assert row.gains["relu"].mean > 0 > row.gain_over_best_control
    assert not row.confirmed


def test_what_is_better_than_the_best_control_alone_is_open() -> None:
    """SiLU looks best on these seeds; ReLU may be, its losses scatter."""
    gains = {"relu": np.tile([2.0, -1.0], 4), "gelu": np.tile([0.31, 0.29], 4), "silu": np.tile([0.21, 0.19], 4)}
    data = Field("t", (member(np.ones(8)),), {name: member(np.exp(values)) for name, values in gains.items()})
    (row,) = verdicts([data])
    assert row.best_control == "silu"
    assert t_test(row.by_seed["silu"]) < 1e-6
    assert row.p == t_test(row.by_seed["relu"]) > 0.05
    assert not row.confirmed


def test_a_finalist_that_failed_stays_in_the_family() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    data = result(rng, 2, 8, better=3.0)
    broken = MemberResult(reason=Reason.DIVERGED)
    failed, other = verdicts([replace(data, candidates=(broken, data.candidates[1]))])
    assert (failed.reason, failed.p_holm, failed.confirmed) == ("non-finite", 1.0, False)
    assert other.p_holm == 2 * other.p
    assert other.gain_over_best_control is not None and math.isfinite(other.gain_over_best_control)


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_that_failed_is_not_held_against_a_finalist(control: str) -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    data = result(rng, 2, 8, better=3.0)
    lost = member(np.full(8, np.nan))
    candidates = (data.candidates[0], MemberResult(reason=Reason.RAISED))
    data = replace(data, candidates=candidates, controls={**data.controls, control: lost})
    assert [row.reasons for row in verdicts([data])] == [(Reason.NO_REFERENCE,), (Reason.RAISED,)]
    data = replace(result(rng, 1, 8), candidates=(lost,))
    assert [row.reasons for row in verdicts([data])] == [(Reason.DIVERGED,)]


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
    assert {name: float(np.mean(gains)) for name, gains in row["by_seed"].items()} == pytest.approx(
        {name: summary["mean"] for name, summary in row["gains"].items()}
    )
    by_task = [summary["mean"] for summary in row["by_task"].values()]
    assert np.mean(by_task) == pytest.approx(row["gains"]["relu"]["mean"])
    assert all(low <= mean <= high for mean, (low, high) in (task.values() for task in row["by_task"].values()))
    assert row["best_control"] == min(row["by_seed"], key=lambda name: sum(row["by_seed"][name]))
    tested = found["setting"]["tested"]["digits"]
    sizes = split(len(examples_of(task("digits"), "confirmation")), "confirmation", 0)
    assert tested["ratio"] == OWN_WEIGHTS * len(sizes.test) / len(sizes.train)
    assert row["p"] == max(t_test(gains, tested["ratio"]) for gains in row["by_seed"].values())
    half = stats.t.ppf(0.975, 5) * np.std(row["by_seed"]["relu"], ddof=1) * math.sqrt(1 / 6 + tested["ratio"])
    low, high = row["gains"]["relu"]["interval"]
    assert high - low == pytest.approx(2 * half)


def test_what_earlier_looks_tried_stays_in_the_family() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    data = result(rng, 1, 8, better=3.0)
    alone, again = (verdicts([data], earlier)[0] for earlier in ([], [0.4, *[0.9] * 5]))
    assert (alone.p_holm, again.p_holm) == (alone.p, 7 * alone.p)
    (on_task,) = again.on_task.values()
    assert on_task is not None and on_task.p_holm == 7 * alone.p


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


def test_the_smallest_effect_grows_with_the_family_and_is_said(small: Path, tmp_path: Path) -> None:
    run = Job.load(small, ["start=['atan(x)']", "budget=6"]).launch("looks")
    found = confirmation(run.resume(changes=["budget=24"]))
    assert found is not None
    assert len(found["earlier"]) == 1, "the longer search has the same finalist; choose another seed"
    (row,) = found["finalists"]
    own = row["by_seed"][row["best_control"]]
    ratio = found["setting"]["tested"]["digits"]["ratio"]
    effect = smallest_effect(6, float(np.std(own, ddof=1)), 2, ratio)
    assert found["smallest_effect"] == pytest.approx(effect)
    page = run.folder.report.read_text()
    assert f"6 seeds show a gain of {effect:.2f} nats over the best control" in page
    assert "2 functions were tried" in page
    export(run, [row["id"]], ["torch"], tmp_path / "out")
    (card,) = (tmp_path / "out").glob("*/README.md")
    assert "corrected for 2 that were tried" in card.read_text()


def test_another_confirmation_has_seeds_of_its_own(small: Path) -> None:
    """More seeds, or other finalists, look at new numbers; the same confirmation at the same ones."""
    changes = ["start=['atan(x)']", "budget=6"]
    found = {}
    for name, more in {"one": [], "again": [], "more": ["confirmation.seeds=7"]}.items():
        content = confirmation(Job.load(small, [*changes, *more]).launch(name))
        assert content is not None
        found[name] = set(content["finalists"][0]["by_seed"]["relu"])
    assert found["one"] == found["again"]
    assert len(found["more"]) == 7 and not found["one"] & found["more"]


def test_a_damaged_confirmation_is_said_and_written_anew(small: Path) -> None:
    run, told = Job.load(small).launch("one"), Told()
    whole = run.folder.confirmation.read_bytes()
    for damaged in (b"[]", b"{}", whole[:200]):
        run.folder.confirmation.write_bytes(damaged)
        for look in (run.confirmation, run.status, run.report):
            with pytest.raises(DamageError, match=r"confirmation\.json: torn or changed"):
                look()
    run.confirm(reporter=told)
    assert run.folder.confirmation.read_bytes() == whole
    assert any("confirmation.json is damaged" in line for line in told.lines)


@pytest.mark.parametrize("call", ["search.work.time_ratios", "search.work.ResultCache.clear"])
def test_a_confirmation_killed_after_its_verdicts_is_finished(
    small: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The times and the page follow at resume; nothing is trained again."""
    whole = Job.load(small).launch("whole")

    def killed(*_: object, **__: object) -> None:
        for _time in range(2):  # the first Ctrl-C would wait for it
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(call, killed)
        Job.load(small).launch("part")
    part = Run.open("part")
    monkeypatch.setattr("evaluators.asked.run_cohort", killed)
    part.resume()
    assert part.folder.confirmation.read_bytes() == whole.folder.confirmation.read_bytes()
    assert part.timing().keys() == whole.timing().keys()
    assert part.folder.report.exists()
    assert not part.folder.confirming.exists()


def test_a_task_file_that_was_not_searched_has_its_column(small: Path) -> None:
    reference = f"{Path(__file__).parent / 'users_files' / 'faulty_tasks.py'}:Quiet"
    found = confirmation(Job.load(small, [f"confirmation.unseen={reference}"]).launch("one"))
    assert found is not None
    assert found["setting"]["unseen"] == ["faulty_tasks.py:Quiet"]
    assert all(set(row["unseen"]) == {"faulty_tasks.py:Quiet"} for row in found["finalists"])
