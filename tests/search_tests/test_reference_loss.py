"""Without a finite loss of the reference a job ends with exit code 1; another control without one is a note."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluators.errors import ReferenceLossError
from evaluators.results.reference_loss import check_reference, notes
from search import Job, Run
from search.commands.cli import main
from search.engine.cohort_trials import trials_of
from search.records.cohort import CohortRecord
from search.storage import open_store

CHANGES = ["budget=4", "cohorts.size=4", "strategy.population=4"]


def cli(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["actsearch", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_a_job_without_a_reference_ends_with_code_1_and_so_does_its_resume(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = [f"--set={each}" for each in (*CHANGES, "training.learning_rates=[1.0e30]")]
    for arguments in (["launch", str(small), "--run", "one", *changes], ["resume", "one"]):
        assert cli(arguments, monkeypatch) == 1
        error = capsys.readouterr().err
        assert "ReLU, the reference of all gains, has no finite loss on digits: at none of its 1 learning" in error
        assert "Traceback" not in error
    assert Run.open("one").status().trained == 0


def without(record: CohortRecord, control: str) -> CohortRecord:
    """The record with a control whose losses are no numbers at one of two seeds."""
    row = record.result.controls[control]
    losses = {
        task: {mark: np.where([[True], [False]], np.nan, table) for mark, table in marks.items()}
        for task, marks in row.losses.items()
    }
    controls = {**record.result.controls, control: replace(row, losses=losses)}
    return replace(record, result=replace(record.result, controls=controls))


def test_another_control_is_a_note(small: Path) -> None:
    run = Job.load(small, [*CHANGES, "confirmation.finalists=0"]).launch("one")
    record = open_store(run.folder, print, run.config.scoring).cohort(0)
    assert record is not None
    check_reference(record.result, record.tasks, "stop")
    assert notes(record.result, record.tasks) == []
    lost = without(record, "gelu")
    assert notes(lost.result, lost.tasks) == [
        "note: the control gelu has no finite loss on digits; no gain over it is known there"
    ]
    check_reference(lost.result, lost.tasks, "stop")
    with pytest.raises(ReferenceLossError, match=r"no finite loss on digits.*or stop"):
        check_reference(without(record, "relu").result, record.tasks, "stop")


def test_a_control_without_a_loss_costs_no_candidate_its_gain(small: Path) -> None:
    run = Job.load(small, [*CHANGES, "confirmation.finalists=0"]).launch("one")
    record = open_store(run.folder, print, run.config.scoring).cohort(0)
    assert record is not None
    for whole, lost in zip(
        *(trials_of(each, run.config.scoring) for each in (record, without(record, "gelu"))), strict=True
    ):
        assert lost == replace(whole, gain_over={k: v for k, v in whole.gain_over.items() if k != "gelu"})
    assert any(trial.gain for trial in trials_of(without(record, "gelu"), run.config.scoring))
