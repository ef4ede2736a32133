"""Promises 1 to 3: the same run whatever the number of workers; test_interruption.py has the kills."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import optuna
import pytest

from search import Job, Run, RunError
from tests.plain import confirmation
from tests.search_tests.conftest import Told, contents


def in_process(small: Path, name: str) -> Run:
    return Job.load(small).launch(name)


def test_same_config_and_seed_give_the_same_run(small: Path) -> None:
    assert contents(in_process(small, "one")) == contents(in_process(small, "two"))


def test_another_seed_gives_another_run(small: Path) -> None:
    other = Job.load(small, ["seed=1"]).launch("other")
    assert contents(other)[1] != contents(in_process(small, "one"))[1]


@pytest.mark.usefixtures("on_workers")
def test_one_ray_worker_equals_two_and_none(small: Path) -> None:
    alone = contents(in_process(small, "none"))
    for count in (1, 2):
        assert contents(Job.load(small).launch(f"with-{count}", workers=count)) == alone


def test_a_class_is_trained_once(small: Path) -> None:
    classes = [row["class"] for row in in_process(small, "one").classes()]
    assert len(set(classes)) == len(classes) == 24


def gains_of(run: Run) -> list[dict[str, Any]]:
    """What a confirmation measured, without the p that is corrected for what was tried before."""
    found = confirmation(run)
    assert found is not None
    return [
        {key: row[key] for key in row if key not in ("p_holm", "confirmed", "on_task")} for row in found["finalists"]
    ]


def test_budget_raised_at_resume_extends_the_run_to_the_byte(small: Path) -> None:
    short = in_process(small, "short")
    before = short.folder.journal.read_bytes()
    rows = short.classes()
    longer = Run.open("short").resume(changes=["budget=36"])
    assert longer.folder.journal.read_bytes().startswith(before)
    straight = Job.load(small, ["budget=36"]).launch("straight")
    assert longer.classes()[:24] == rows
    assert contents(longer)[:2] == contents(straight)[:2]
    assert gains_of(longer) == gains_of(straight)


def test_stopping_by_time_leaves_a_prefix(small: Path) -> None:
    whole = in_process(small, "whole")
    part = Job.load(small).launch("part", max_minutes=0.0)
    rows = part.classes()
    assert len(rows) == 6
    assert rows == whole.classes()[:6]
    assert contents(part.resume()) == contents(whole)


def test_front_equals_optunas_best_trials_and_nothing_is_running(small: Path) -> None:
    run = in_process(small, "one")
    backend = optuna.storages.journal.JournalFileBackend(str(run.folder.journal))
    study = optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(backend))
    assert {t.user_attrs["id"] for t in study.best_trials} == {row["id"] for row in run.front()}
    assert all(trial.state.is_finished() for trial in study.get_trials())
    assert [trial.user_attrs["expression"] for trial in study.get_trials()] == [r["expression"] for r in run.classes()]


def test_controls_repeat_bit_for_bit(small: Path) -> None:
    run = in_process(small, "one")
    records = [json.loads(path.read_text()) for path in sorted(run.folder.cohorts.iterdir())]
    assert len(records) == 4
    assert all(record["result"]["controls"] == records[0]["result"]["controls"] for record in records)
    assert run.status().controls_repeat is True


def test_a_start_list_is_tried_first_and_may_be_longer_than_a_cohort(small: Path) -> None:
    start = [f"tanh({n}*x)" for n in range(2, 10)] + ["relu(x)", "3*tanh(2*x)", "2*x+1"]
    reporter = Told()
    run = Job.load(small, [f"start={start}", "budget=12", "confirmation.finalists=0"]).launch(
        "start", reporter=reporter
    )
    rows = [row["expression"] for row in run.classes()]
    assert set(start[:8]) <= set(rows)
    assert not {"relu(x)", "3*tanh(2*x)"} & set(rows)
    assert [line for line in reporter.lines if line.startswith("start:")] == [
        "start: relu(x) is not trained: it equals the control relu up to a factor",
        "start: 3*tanh(2*x) is not trained: it equals tanh(2*x) up to a factor",
        "start: 2*x+1 is not trained: the screen 'affine' stops it",
    ]


def test_an_early_confirmation_does_not_stand_for_the_finished_run(small: Path) -> None:
    whole = in_process(small, "whole")
    part = Job.load(small).launch("part", max_minutes=0.0)
    with contextlib.suppress(RunError):  # none of the first six classes may be better than ReLU
        assert part.confirm().trained == 6
    later = part.resume()
    assert contents(later)[:2] == contents(whole)[:2]
    assert gains_of(later) == gains_of(whole)  # the early look counts in p alone


def test_the_budget_counts_classes_where_cohorts_are_not_full(small: Path) -> None:
    """A grammar of four functions, two of them affine: the job ends with what there is."""
    Path("tiny.yaml").write_text(
        "name: tiny\ndescription: four\nunary: ['a', 'tanh(a)']\nbinary: ['a+b']\ntemplates: [{units: 1}]\n"
    )
    run = Job.load(small, ["grammar=./tiny.yaml", "budget=20", "confirmation.finalists=0"]).launch("tiny")
    assert run.status().trained == 2
    again = run.resume()
    assert again.status().trained == 2


@pytest.mark.parametrize("name", ["optuna, sampler: CmaEsSampler", "optuna, sampler: NSGAIISampler", "controller"])
def test_stopped_after_every_cohort_equals_left_alone(small: Path, name: str) -> None:
    """What a strategy gave with its proposals comes back at a resume, also while their results are not known."""
    changes = [f"strategy={{name: {name}}}", "budget=48", "confirmation.finalists=0"]
    whole = Job.load(small, changes).launch("whole")
    part = Job.load(small, changes).launch("part", max_minutes=0.0)
    for _ in range(7):
        part = Run.open("part").resume(max_minutes=0.0)
    assert part.folder.front.read_bytes() == whole.folder.front.read_bytes()
    assert part.classes() == whole.classes()
