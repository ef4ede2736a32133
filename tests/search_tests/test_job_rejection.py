"""Early rejection in a job: the same whatever the workers and interruptions, exempt by number, reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluators.rejection import base
from search import Job, Run
from search.config import checked
from search.engine.rejection import announced, concluded, schedules, summary, with_thresholds
from search.errors import ConfigError
from search.records.cohort import Plan, Planned
from search.records.trace_entry import TraceEntry
from tests.plain import entry

SETTINGS = [
    "budget=60",
    "cohorts.size=12",
    "rejection.warmup=30",
    "rejection.audit=0.2",
    "rejection.recall=0.5",
    "training.steps=16",
    "training.rungs=[2,4,8]",
    "confirmation.finalists=0",
]


@pytest.fixture
def early(small: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small job, with thresholds from 20 candidates on."""
    monkeypatch.setattr(base, "SMALLEST_SET", 20)
    return small


def launched(config: Path, name: str, *changes: str, **options: Any) -> Run:
    return Job.load(config, [*SETTINGS, *changes]).launch(name, **options)


def trace(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.folder.trace.read_text().splitlines()]


def contents(run: Run) -> tuple[Any, ...]:
    records = [json.loads(path.read_text()) for path in sorted(run.folder.cohorts.iterdir())]
    kept = [(record["thresholds"], record["proposals"], record["result"]["candidates"]) for record in records]
    return kept, run.folder.front.read_text(), run.classes(), [entry["rejection"] for entry in trace(run)]


def test_thresholds_reject_after_the_warm_up_and_the_report_counts_them(early: Path) -> None:
    run = launched(early, "one")
    lines, rows, status = trace(run), run.classes(), run.status().rejection
    first = next(line["cohort"] for line in lines if line["rejection"]["thresholds"])
    assert first == 3  # cohort 2 is proposed from cohort 0 alone: 12 candidates
    gone = [row for row in rows if row["reason"] == "unpromising"]
    assert len(gone) == status.unpromising > 0
    assert all(int(str(row["id"]).partition(".")[0]) >= first for row in gone)
    assert all(row["gain"] is None for row in gone)
    assert status.compute is not None and 0 < status.compute < 1
    assert status.missed <= status.audited <= 24
    assert f"{len(gone)} unpromising" in concluded(status)


@pytest.mark.slow
@pytest.mark.usefixtures("on_workers")
def test_two_workers_change_nothing(early: Path) -> None:
    assert contents(launched(early, "two", workers=2)) == contents(launched(early, "none"))


def test_interruptions_change_nothing(early: Path) -> None:
    whole = contents(launched(early, "whole"))
    part = launched(early, "part", max_minutes=0.0)
    while part.status().trained < 60:
        part.resume(max_minutes=0.0)
    assert contents(part) == whole


def test_a_raised_budget_extends_the_run(early: Path) -> None:
    longer = launched(early, "short", "budget=36").resume(changes=["budget=60"])
    assert contents(longer) == contents(launched(early, "straight"))


def test_the_cohort_files_rebuild_the_calibration_set(early: Path) -> None:
    whole = contents(launched(early, "whole"))
    part = launched(early, "part", "budget=36")
    part.folder.journal.unlink()
    lines = part.folder.trace.read_text().splitlines(keepends=True)
    part.folder.trace.write_text("".join(lines[:-1]))
    assert contents(part.resume(changes=["budget=60"])) == whole


def test_short_jobs_reject_failures_only(small: Path) -> None:
    run = Job.load(small, ["confirmation.finalists=0"]).launch("short")
    assert all(not line["rejection"]["thresholds"] for line in trace(run))
    assert run.status().rejection.unpromising == 0


def config(**changes: Any) -> Any:
    training = {"seeds": 2, "steps": 16, "rungs": [4, 8]}
    return checked({"budget": 1000, "training": training, "rejection": changes}, "test")


def test_what_a_job_says_at_its_start() -> None:
    assert "a job of up to 256 classes is too short" in announced(
        checked({"budget": 204, "training": {"rungs": [5]}}, "")
    )
    assert announced(checked({"budget": 1000}, "")) == "rejection: failures only"  # no rungs
    assert announced(config(warmup=20, audit=0.01)) == "rejection: failures only"
    assert "95% of the best 1%" in announced(config())
    assert "the median of each rung" in announced(config(rule="median"))
    assert announced(config(rule="failures")) == "rejection: failures only"


def test_the_rule_is_the_configs(early: Path) -> None:
    found = {
        rule: launched(early, rule, f"rejection.rule={rule}").status().rejection for rule in ("median", "failures")
    }
    assert found["failures"].unpromising == 0 < found["median"].unpromising
    with pytest.raises(ConfigError, match=r"rejection\.rule: unknown rung rule 'medain'; did you mean 'median'"):
        Job.load(early, ["rejection.rule=medain"])


def test_a_config_without_a_rule_is_that_of_an_older_run() -> None:
    older = config().model_dump(mode="json")
    del older["rejection"]["rule"]
    assert checked(older, "config.yaml") == config()


def test_who_is_exempt_depends_on_the_number_alone() -> None:
    given = config(warmup=10, audit=0.1)
    sets = [
        with_thresholds(Plan(1, [Planned(f"{name}({n}*x)", "") for n in range(2000)], {}), given, 5, np.zeros((0, 3)))
        for name in ("tanh", "sin")
    ]
    exempt = [[str(row.exempt or "") for row in plan.proposals] for plan in sets]
    assert exempt[0] == exempt[1]
    assert exempt[0][:5] == ["warm-up"] * 5
    assert "warm-up" not in exempt[0][5:]
    assert 150 < exempt[0].count("audit") < 250
    other = with_thresholds(sets[0], checked(given.model_dump() | {"seed": 1}, ""), 3000, np.zeros((0, 3)))
    assert [str(row.exempt or "") for row in other.proposals] != exempt[0]


def test_rungs_go_from_step_to_step_and_task_to_task() -> None:
    two = checked(config().model_dump() | {"tasks": ["digits", "digits-10x32"]}, "")
    assert [schedule.rung_steps for schedule in schedules(two)] == [(4, 8, 16), (4, 8, 16)]
    rows = np.random.Generator(np.random.PCG64(0)).normal(size=(120, 6))
    assert (
        list(with_thresholds(Plan(9, [Planned("x", "")] * 50, {}), two, 600, rows).thresholds)
        == [(name, step) for name in two.tasks for step in (4, 8, 16)][:5]
    )


def test_learning_rates_are_dropped_and_counted(small: Path) -> None:
    rates = "training.learning_rates=[0.001,0.003,0.01]"
    runs = [launched(small, f"{drop}", rates, f"training.drop_worst_rate={drop}") for drop in ("true", "false")]
    fewer, whole = (run.status().rejection.compute for run in runs)
    assert fewer is not None and whole is not None and fewer < 0.9 * whole
    record = json.loads(runs[0].folder.cohort(0).read_text())
    for row in (*record["result"]["controls"].values(), *record["result"]["candidates"]):
        for losses in (np.array(losses, float) for mark, losses in row["losses"]["digits"].items() if int(mark) > 2):
            assert np.isnan(losses).all(axis=0).sum() >= 1


def line(trained: int = 10, rejected: dict[str, int] | None = None, **found: Any) -> TraceEntry:
    rest: dict[str, Any] = {"thresholds": [], "compute": 1.0, "audited": 0, "missed": [], "passed_on": [], "bar": None}
    return entry(trained=trained, rejected=rejected or {}, rejection=rest | found)


def test_the_audit_counts_the_good_among_those_that_would_have_gone() -> None:
    found = summary([
        line(),
        line(40, {"unpromising": 20}, compute=0.25, audited=3, missed=[0.1, None], bar=0.3),
        line(70, compute=0.25, audited=2, missed=[0.4], passed_on=[None, 0.2], bar=0.2),
    ])  # fmt: skip
    assert (found.audited, found.missed, found.missed_good) == (5, 3, 1)
    assert (found.passed_on, found.passed_on_good) == (2, 1)
    assert found.compute == pytest.approx((10 + 0.25 * 60) / 70, abs=1e-4)
    assert concluded(found).endswith("audit: of 3 that would have gone 1 were good (95 %: 1% to 91%); "
                                     "of 2 screened 1 were good (95 %: 1% to 99%)")  # fmt: skip


def test_runs_of_older_versions_have_no_findings() -> None:
    assert summary([entry(trained=6, rejected={"non-finite": 1})]).compute is None
    assert summary([]).unpromising == 0


def test_screened_candidates_are_passed_on_by_lot(small: Path) -> None:
    """A grammar of four functions, two of them affine."""
    Path("tiny.yaml").write_text(
        "name: tiny\ndescription: four\nunary: ['a', 'tanh(a)']\nbinary: ['a+b']\ntemplates: [{units: 1}]\n"
    )
    changes = ["grammar=./tiny.yaml", "budget=20", "confirmation.finalists=0"]
    reasons = {}
    for share in (0.0, 1.0):
        run = Job.load(small, [*changes, f"rejection.screened={share}"]).launch(f"tiny-{share:.0f}")
        records = [json.loads(path.read_text()) for path in sorted(run.folder.cohorts.iterdir())]
        reasons[share] = [row["spared"] for record in records for row in record["proposals"]]
        assert run.status().rejection.passed_on == reasons[share].count("affine")
    assert "affine" not in reasons[0.0]
    assert "affine" in reasons[1.0]
