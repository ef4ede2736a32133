"""A damaged run is repaired without loss, or refused with the name of what is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from search import Job, Run, RunError
from search.storage.files import seal
from tests.search_tests.conftest import resealed


@pytest.fixture
def finished(small: Path) -> Run:
    return Job.load(small, ["confirmation.finalists=0"]).launch("one")


def tear(path: Path) -> None:
    """Cut a file in the middle of its last line."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 20])


def flip(path: Path) -> None:
    """Change one byte in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def lose(*paths: Path) -> None:
    for path in paths:
        path.unlink()


def tear_last_cohort(run: Run) -> None:
    """As if the process died in the middle of cohort 3, on a file system that tore its file."""
    tear(run.folder.cohort(3))
    lines = run.folder.trace.read_text().splitlines(keepends=True)
    run.folder.trace.write_text("".join(lines[:3]))


DAMAGES: dict[str, Callable[[Run], object]] = {
    "torn journal": lambda run: tear(run.folder.journal),
    "flipped byte": lambda run: flip(run.folder.journal),
    "journal gone": lambda run: lose(run.folder.journal),
    "journal longer": lambda run: run.folder.journal.write_bytes(run.folder.journal.read_bytes() + b'{"op_code":4'),
    "torn trace": lambda run: tear(run.folder.trace),
    "trace gone": lambda run: lose(run.folder.trace),
    "front gone": lambda run: lose(run.folder.front),
    "stale lock": lambda run: os.symlink("nowhere", f"{run.folder.journal}.lock"),
    "all but cohorts gone": lambda run: lose(run.folder.journal, run.folder.trace, run.folder.front),
    "torn last cohort": tear_last_cohort,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_repaired_without_loss(finished: Run, damage: str) -> None:
    front, rows, journal = finished.folder.front.read_text(), finished.classes(), finished.folder.journal.read_bytes()
    DAMAGES[damage](finished)
    repaired = Run.open("one").resume(changes=["budget=24"])
    assert repaired.classes() == rows
    assert repaired.folder.front.read_text() == front
    if damage != "torn last cohort":  # trained again, at another time of day
        assert repaired.folder.journal.read_bytes() == journal


def test_damaged_journal_without_its_cohort_file_is_refused_by_name(finished: Run) -> None:
    flip(finished.folder.journal)
    finished.folder.cohort(2).unlink()
    damaged = finished.folder.journal.read_bytes()
    with pytest.raises(RunError, match=r"line 1\d or.*000002\.json.*missing, torn or changed"):
        Run.open("one").resume()
    assert finished.folder.journal.read_bytes() == damaged


def test_changed_cohort_file_is_not_taken_for_the_recorded_one(finished: Run) -> None:
    path = finished.folder.cohort(1)
    record = json.loads(path.read_text())
    record["proposals"][0]["expression"] = "tanh(x)"
    unsealed_record = {key: value for key, value in record.items() if key != "sha256"}
    finished.folder.journal.unlink()
    for text, message in (
        (json.dumps(record), r"000001\.json, needed.*is missing, torn or changed"),
        (json.dumps(seal(unsealed_record)), r"000001\.json is not what was recorded"),
    ):
        path.write_text(text)
        with pytest.raises(RunError, match=message):
            Run.open("one").resume()


def test_second_process_is_refused_with_the_first_ones_id(finished: Run) -> None:
    code = "from search import Run; Run.open('one').resume()"
    with finished.folder.locked():
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert f"in use by process {os.getpid()} on " in result.stderr


def test_a_path_is_no_name(small: Path) -> None:
    """./here is beside the config, here is under runs/."""
    job = Job.load(small, ["budget=6", "confirmation.finalists=0"])
    assert job.launch("./here").path == Path("here") and job.launch("here").path == Path("runs/here")


def test_a_run_is_never_overwritten(finished: Run, small: Path) -> None:
    with pytest.raises(RunError, match="exists already"):
        Job.load(small).launch("one")
    assert Job.load(small, ["budget=6", "confirmation.finalists=0"]).launch().name == "small"


@pytest.mark.parametrize(
    ("key", "old"),
    [("torch", "1.0"), ("cpu_capability", "Z80"), ("machine", "vax"), ("threads_per_worker", 8), ("rounding", "0")],
)
def test_another_machine_is_said_and_recorded(finished: Run, key: str, old: object) -> None:
    path = finished.folder.environment
    resealed(path, {key: old})
    said = said_by_a_resume()
    assert any(f"results may differ from here on: {key}: {old} ->" in line for line in said)
    assert json.loads(path.read_text())["before"][key] == old


def said_by_a_resume() -> list[str]:
    said: list[str] = []

    class Ear:
        def say(self, text: str) -> None:
            said.append(text)

        def part(self, text: str) -> None: ...

        def step(self, progress: object) -> None:
            pass

    Run.open("one").resume(reporter=Ear())
    return said


def test_a_run_of_an_older_version_does_not_say_how_its_machine_rounded(finished: Run) -> None:
    path = finished.folder.environment
    resealed(path, {}, without="rounding")
    assert not any("results may differ" in line for line in said_by_a_resume())


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_machine_that_is_not_known_is_said_and_recorded(finished: Run, text: str | None) -> None:
    path = finished.folder.environment
    whole = path.read_text()
    path.unlink() if text is None else path.write_text(text)
    assert any("environment.json is missing or damaged; results may differ" in line for line in said_by_a_resume())
    assert json.loads(path.read_text()) == json.loads(whole)
