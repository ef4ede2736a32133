"""What every store holds: what went in comes out, in order, and a job does not notice which one it has."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from search.config import Config, checked
from search.engine.cohort_trials import trials_of
from search.engine.loop import search
from search.engine.recorder import Recorder
from search.engine.scoring import DEFAULT_SCORING
from search.engine.study import Study
from search.records.cohort import CohortRecord
from search.records.cohort_codec import record_to_json
from search.records.trace_entry import TraceEntry
from search.records.trial import TrialRecord
from search.storage import Ahead, MemoryStore, Store, open_store, read_store, stored_trace
from search.storage.run_folder import RunFolder
from tests import plain
from tests.search_tests.made_up import Instant, cohort_record

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ["tanh(x)", "x*atan(x)", "sin(x)+x", "relu(x)-0.1*x"]
REASONS = [{1: "far-below-relu"}, {}, {0: "non-finite", 3: "worker-died"}]

AHEAD = Ahead(2, 4)


def on_disk(folder: Path) -> Store:
    """The store of a run folder, opened or opened again."""
    made = RunFolder(folder)
    if not folder.exists():
        made.create()
    return open_store(made, pytest.fail, DEFAULT_SCORING)


STORES: dict[str, Callable[[Path], Store]] = {"memory": lambda _: MemoryStore(), "journal": on_disk}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    return STORES[request.param](tmp_path / "run")


def records() -> list[CohortRecord]:
    return [cohort_record(number, TEXTS, reasons) for number, reasons in enumerate(REASONS)]


def entry(number: int) -> TraceEntry:
    return plain.entry(cohort=number, trained=len(TEXTS) * (number + 1), proposed=9, counts={"accepted": 4, "known": 5})


def filled(store: Store) -> list[TrialRecord]:
    """All cohorts kept and appended; the trials that went in."""
    for record in records():
        appended(store, record)
    return [trial for record in records() for trial in trials_of(record, DEFAULT_SCORING)]


def appended(store: Store, record: CohortRecord) -> TraceEntry:
    """A cohort kept and appended; what the store says of it."""
    store.keep(record)
    return store.append(record, trials_of(record, DEFAULT_SCORING), entry(record.plan.number))


def bare(trace: list[TraceEntry]) -> list[TraceEntry]:
    """Entries without what a store says of itself."""
    return [replace(line, journal_bytes=0, journal_sha256="") for line in trace]


def test_optuna_and_the_files_of_a_run_stay_behind_the_store() -> None:
    words = re.compile(r"(import|from) optuna|user_attrs|(read|write)_cohort\b|(read|append)_trace\b|folder\.journal")
    found = {
        path.relative_to(ROOT).parts[1] for path in (ROOT / "search").rglob("*.py") if words.search(path.read_text())
    }
    # the strategy that wraps Optuna's samplers and the tuning of finalists have studies in memory
    assert found == {"storage", "strategies", "tuning"}


def test_an_empty_store_has_nothing(store: Store) -> None:
    assert (len(store.trials), len(store.trace), store.cohort(0)) == (0, 0, None)
    assert Study(store).front.numbers == []


def test_a_kept_cohort_comes_back_whatever_the_order(store: Store) -> None:
    for record in reversed(records()):
        store.keep(record)
    for number, record in enumerate(records()):
        found = store.cohort(number)
        assert found is not None and record_to_json(found) == record_to_json(record)
    assert store.cohort(len(REASONS)) is None
    assert (len(store.trials), len(store.trace)) == (0, 0)  # kept is not appended


def test_what_is_appended_comes_back_in_order(store: Store) -> None:
    expected = filled(store)
    assert list(store.trials) == expected
    assert [store.trials[n] for n in (0, 5, -1)] == [expected[n] for n in (0, 5, -1)]
    assert list(store.trials[4:8]) == expected[4:8]
    with pytest.raises(IndexError):
        store.trials[len(expected)]
    assert bare(list(store.trace)) == [entry(number) for number in range(len(REASONS))]


def test_append_returns_the_entry_that_is_in_the_trace(store: Store) -> None:
    (record, *_) = records()
    returned = appended(store, record)
    assert list(store.trace) == [returned]


def test_what_derives_from_it_equals_brute_force(store: Store) -> None:
    study = Study(store)
    expected = filled(store)
    study.enter(expected)
    values = {n: (-t.objectives["gain"], t.objectives["cost"]) for n, t in enumerate(expected) if t.objectives}
    front = [
        n
        for n, (gain, cost) in values.items()
        if not any(g <= gain and c <= cost and (g, c) != (gain, cost) for g, c in values.values())
    ]
    for each in (study, Study(store)):  # as they came in, and read at once
        assert sorted(each.front.numbers) == front
        assert each.trials == len(expected)
        assert [result.id for result in each.history(5)] == [trial.id for trial in expected[:5]]
        assert [result.gain for result in each.history(12) if result.objectives] == [-v[0] for v in values.values()]


def job() -> Config:
    made = {
        "budget": 18,
        "strategy": {"name": "evolution", "population": 6, "tournament": 2},
        "cohorts": {"size": 6},
        "training": {"seeds": 2, "steps": 12, "rungs": [6]},
        "confirmation": {"finalists": 0},
    }
    return checked(made, "test_stores.py")


def searched(store: Store, workers: Instant) -> Recorder:
    recorder = Recorder(Study(store), job())
    assert search(job(), recorder, workers, lambda _: None) == "budget"
    return recorder


def timeless(store: Store) -> list[TraceEntry]:
    return [replace(line, finished=None, proposed_in=0.0) for line in bare(list(store.trace))]


def test_a_job_is_the_same_in_each(store: Store) -> None:
    reference = MemoryStore()
    searched(reference, Instant())
    recorder = searched(store, Instant())
    assert len(store.trials) == recorder.study.trials == 18
    assert list(store.trials) == list(reference.trials)
    assert timeless(store) == timeless(reference)
    assert recorder.plan(1).proposals[0].expression == store.trials[6].expression


def test_kept_cohorts_are_not_trained_again(store: Store) -> None:
    class Idle(Instant):
        def submit(self, number: int, request: object) -> None:
            pytest.fail(f"cohort {number} is trained again")

    reference = MemoryStore()
    searched(reference, Instant())
    for number in range(3):
        record = reference.cohort(number)
        assert record is not None
        store.keep(record)
    searched(store, Idle())
    assert list(store.trials) == list(reference.trials)


def test_a_store_on_disk_reopens_as_it_was_left(tmp_path: Path) -> None:
    left = on_disk(tmp_path / "run")
    filled(left)
    folder = RunFolder(tmp_path / "run")
    for again in (on_disk(folder.path), read_store(folder, DEFAULT_SCORING, AHEAD)):
        assert list(again.trials) == list(left.trials)
        assert list(again.trace) == list(left.trace) == stored_trace(folder, AHEAD)
        for number in range(len(REASONS)):
            one, other = again.cohort(number), left.cohort(number)
            assert one is not None and other is not None and record_to_json(one) == record_to_json(other)
        assert Study(again).front.numbers == Study(left).front.numbers


def test_a_copy_to_look_at_stays_as_it_is_while_the_job_goes_on(tmp_path: Path) -> None:
    at_work = on_disk(tmp_path / "run")
    (first, second, _) = records()
    appended(at_work, first)
    copy = read_store(RunFolder(tmp_path / "run"), DEFAULT_SCORING, AHEAD)
    appended(at_work, second)
    assert (len(copy.trials), len(copy.trace)) == (4, 1)
    assert (len(at_work.trials), len(at_work.trace)) == (8, 2)
