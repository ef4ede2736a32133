"""The journal backend and the study in it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.trial import TrialState, create_trial

from primitives.classes import fingerprint
from search.cohort_record import CohortRecord
from search.front import Front
from search.journal import CohortJournal, digest_of
from search.known import KnownClasses
from search.study import CohortStudy
from tests import plain


def record(cohort: int, expressions: list[str], reasons: dict[int, str] | None = None) -> CohortRecord:
    """A cohort file with made-up losses."""
    rng = random.Random(cohort)

    def row(reason: str = "") -> dict[str, Any]:
        losses = [[rng.uniform(0.1, 0.5) for _ in range(2)] for _ in range(2)]
        return {"losses": {"digits": {"50": losses, "100": losses}}, "tests": {}, "reason": reason, "failed_on": ""}

    return plain.record({
        "cohort": cohort,
        "tasks": ["digits"],
        "started": "2026-01-01T00:00:00.000000+00:00",
        "finished": "2026-01-01T00:01:00.000000+00:00",
        "counts": {"accepted": len(expressions)},
        "proposals": [{"expression": e, "class": f"c{cohort}-{i}", "parents": []} for i, e in enumerate(expressions)],
        "result": {
            "candidates": [row((reasons or {}).get(i, "")) for i in range(len(expressions))],
            "controls": {"relu": row(), "gelu": row(), "silu": row()},
            "nulls": [row() for _ in range(4)],
            "seconds": {"digits": 1.0},
        },
    })  # fmt: skip


def test_a_cohort_is_one_append_and_a_pure_function_of_its_record(tmp_path: Path) -> None:
    records = [
        record(n, ["tanh(x)", "x*atan(x)", "sin(x)+x"], {1: "far-below-relu", 2: "non-finite"}) for n in range(3)
    ]
    for name in ("one", "two"):
        study = CohortStudy(tmp_path / name)
        for item in records:
            study.add(item)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert study.journal.length == (tmp_path / "two").stat().st_size
    assert digest_of(tmp_path / "two", study.journal.length) == study.journal.digest
    states = [trial.state for trial in study.study.get_trials()]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL] * 3


def test_it_reopens_as_it_was(tmp_path: Path) -> None:
    study = CohortStudy(tmp_path / "j")
    study.add(record(0, ["tanh(x)", "sin(x)"]))
    before = (tmp_path / "j").read_bytes()
    again = CohortStudy(tmp_path / "j")
    assert (tmp_path / "j").read_bytes() == before
    assert again.trials == 2
    assert again.front.numbers == study.front.numbers
    assert list(again.history(2)) == list(study.history(2))
    assert again.history(2)[-1].id == "0.1"
    assert len(again.history(2)[0:1]) == 1


def test_nothing_of_a_failed_batch_is_written(tmp_path: Path) -> None:
    journal = CohortJournal(tmp_path / "j")
    study = optuna.create_study(storage=JournalStorage(journal), study_name="s")
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(ZeroDivisionError), journal.batch():
        study.add_trial(create_trial(value=1.0))
        1 / 0  # noqa: B018
    assert (tmp_path / "j").read_bytes() == before


def test_optunas_own_backend_reads_it(tmp_path: Path) -> None:
    CohortStudy(tmp_path / "j").add(record(0, ["tanh(x)", "sin(x)"]))
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
