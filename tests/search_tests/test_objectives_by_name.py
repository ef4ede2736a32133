"""A job with other objectives: study, front, files and strategies follow the config."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import optuna
import pytest

from evaluators.results.reasons import code_of
from search import Job, Run
from search.engine.cohort_trials import trials_of
from search.engine.study import Study
from search.storage import MemoryStore
from search.storage.trial_journal import TrialJournal
from search.terminal import tables
from tests.plain import confirmation, number, record

OBJECTIVES = ["gain", "complexity", "sparsity", "noise"]
CHANGES = [f"objectives={OBJECTIVES}", "tasks=[digits, digits-10x32]", "budget=12", "confirmation.finalists=0"]


@pytest.fixture
def run(small: Path) -> Run:
    return Job.load(small, [*CHANGES, "aggregate=minimum"]).launch("one")


def test_the_front_is_optunas_over_all_objectives(run: Run) -> None:
    backend = optuna.storages.journal.JournalFileBackend(str(run.folder.journal))
    study = optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(backend))
    assert study.metric_names == OBJECTIVES
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE", "MAXIMIZE", "MAXIMIZE"]
    assert {t.user_attrs["id"] for t in study.best_trials} == {row["id"] for row in run.front()}
    rows = list(csv.DictReader(run.folder.front.read_text().splitlines()))
    assert list(rows[0])[:7] == ["id", "expression", *OBJECTIVES, "cost"]
    table = tables.front_table(run.front_rows(), tables.rows_title("Pareto front", run.config.objectives, "minimum"))
    assert [str(column.header) for column in table.columns][2:7] == ["gain", "cost", "complexity", "sparsity", "noise"]
    assert "smallest of the tasks, complexity in nodes" in str(table.title)
    for row in run.classes():
        by_task = [row["gain_digits"], row["gain_digits-10x32"]]
        assert row["gain"] == (None if row["reason"] else min(map(number, by_task)))


def test_it_is_the_same_after_a_stop_and_a_repair(run: Run, small: Path) -> None:
    part = Job.load(small, [*CHANGES, "aggregate=minimum"]).launch("part", max_minutes=0.0)
    assert part.resume().classes() == run.classes()
    part.folder.journal.write_bytes(part.folder.journal.read_bytes()[:-40])
    assert part.resume().classes() == run.classes()


def test_ranks_lie_between_0_and_1_and_confirmation_stays_in_nats(small: Path) -> None:
    run = Job.load(small, ["aggregate=rank", "tasks=[digits, digits-10x32]", "budget=12"]).launch("ranks")
    rows = [row for row in run.classes() if not row["reason"]]
    assert all(0.0 <= number(row["gain"]) <= 1.0 for row in rows)
    found = confirmation(run)
    for finalist in found["finalists"] if found else []:
        row = next(row for row in rows if row["id"] == finalist["id"])
        mean = (number(row["gain_digits"]) + number(row["gain_digits-10x32"])) / 2
        assert finalist["search_gain"] == pytest.approx(mean) and mean > 0


def test_a_default_job_measures_nothing(small: Path) -> None:
    run = Job.load(small, ["budget=6", "confirmation.finalists=0"]).launch("plain")
    record = json.loads(run.folder.cohort(0).read_text())
    assert all("measured" not in row for row in record["result"]["candidates"])
    assert list(run.front()[0])[:6] == ["id", "expression", "gain", "cost", "gain_over_gelu", "gain_over_silu"]


def test_a_number_that_cannot_be_measured_fails_the_candidate_by_name(run: Run, tmp_path: Path) -> None:
    written = json.loads(run.folder.cohort(0).read_text())
    rows = written["result"]["candidates"]
    slot = next(n for n, row in enumerate(rows) if not row["reason"])
    rows[slot]["measured"]["digits"]["noise"] = None
    trials = trials_of(record(written), run.config.scoring)
    assert code_of(trials[slot].reason) == "no-noise"
    assert trials[slot].objectives == {}
    assert Study(MemoryStore(trials), run.config.scoring).result(slot).gain == float("-inf")
    journal = TrialJournal(tmp_path / "j", run.config.scoring)
    journal.add(trials, datetime.now(UTC), datetime.now(UTC))
    assert journal.study.get_trials()[slot].state.name == "FAIL"
