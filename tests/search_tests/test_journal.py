"""The journal backend and the study in it."""

from __future__ import annotations

import random
from io import UnsupportedOperation
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.trial import TrialState, create_trial

from primitives.equivalence.classes import fingerprint
from search.engine.cohort_trials import trials_of
from search.engine.front import Front
from search.engine.known import KnownClasses
from search.engine.scoring import DEFAULT_SCORING
from search.records.cohort import CohortRecord
from search.storage.journal import CohortJournal, JournalCopy, digest_of
from search.storage.trial_journal import TrialJournal, read_trials
from tests.search_tests.made_up import cohort_record


def entered(path: Path, *records: CohortRecord) -> TrialJournal:
    """A journal with cohorts."""
    made = TrialJournal(path)
    for item in records:
        made.add(trials_of(item, DEFAULT_SCORING), item.started, item.finished)
    return made


def test_a_cohort_is_one_append_and_a_pure_function_of_its_record(tmp_path: Path) -> None:
    records = [
        cohort_record(n, ["tanh(x)", "x*atan(x)", "sin(x)+x"], {1: "far-below-relu", 2: "non-finite"}) for n in range(3)
    ]
    for name in ("one", "two"):
        study = entered(tmp_path / name, *records)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert study.journal.length == (tmp_path / "two").stat().st_size
    assert digest_of(tmp_path / "two", study.journal.length) == study.journal.digest
    states = [trial.state for trial in study.study.get_trials()]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL] * 3


def test_it_reopens_as_it_was(tmp_path: Path) -> None:
    made = entered(tmp_path / "j", cohort_record(0, ["tanh(x)", "sin(x)"]))
    before = (tmp_path / "j").read_bytes()
    again = TrialJournal(tmp_path / "j")
    assert (tmp_path / "j").read_bytes() == before
    assert list(again.trials) == list(made.trials)
    assert again.trials[-1].id == "0.1"
    assert [trial.id for trial in again.trials[0:1]] == ["0.0"]


def test_a_copy_is_for_reading(tmp_path: Path) -> None:
    made = entered(tmp_path / "j", cohort_record(0, ["tanh(x)", "sin(x)"]))
    length = made.journal.length
    entered(tmp_path / "j", cohort_record(1, ["atan(x)"]))
    copy = JournalCopy(tmp_path / "j", length)
    assert copy.digest == made.journal.digest
    assert list(read_trials(copy, DEFAULT_SCORING, tmp_path / "j")) == list(made.trials)
    with pytest.raises(UnsupportedOperation):
        copy.append_logs([{}])
    assert len(read_trials(JournalCopy(tmp_path / "none", 9), DEFAULT_SCORING, tmp_path)) == 0


def test_nothing_of_a_failed_batch_is_written(tmp_path: Path) -> None:
    journal = CohortJournal(tmp_path / "j")
    study = optuna.create_study(storage=JournalStorage(journal), study_name="s")
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(ZeroDivisionError), journal.batch():
        study.add_trial(create_trial(value=1.0))
        1 / 0  # noqa: B018
    assert (tmp_path / "j").read_bytes() == before


def test_optunas_own_backend_reads_it(tmp_path: Path) -> None:
    entered(tmp_path / "j", cohort_record(0, ["tanh(x)", "sin(x)"]))
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "j"))
    study = optuna.load_study(study_name=None, storage=JournalStorage(backend))
    assert study.metric_names == ["gain", "cost"]
    assert [trial.user_attrs["expression"] for trial in study.get_trials()] == ["tanh(x)", "sin(x)"]


def test_front_equals_optunas_best_trials() -> None:
    rng = random.Random(0)
    study = optuna.create_study(directions=["maximize", "minimize"])
    front = Front(["maximize", "minimize"])
    for number in range(300):
        values = [rng.randrange(12) / 4, rng.randrange(12) / 4]  # with ties
        study.add_trial(create_trial(values=values))
        front.add(number, values)
        if number % 50 == 49:
            assert sorted(front.numbers) == [trial.number for trial in study.best_trials]


def test_a_hash_hit_is_verified() -> None:
    from primitives import parse

    relu, capped = parse("relu(x)"), parse("relu6(x)")
    assert fingerprint(relu).scale == fingerprint(capped).scale  # equal on [-5, 5]
    known = KnownClasses(lambda number: relu)
    key, hit = known.find(relu)
    assert not hit
    known.expect(key, relu)
    assert known.find(parse("3*relu(x)")) == (key, True)
    other, hit = known.find(capped)
    assert not hit and other == key + "~"
    known.expect(other, capped)
    known.enter(key, 0)
    assert known.find(capped) == (other, True)
    assert known.find(relu) == (key, True)
