"""Small jobs for the tests of search."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from evaluators.results.json_codec import JsonObject
from primitives import ending
from search import Run
from search.commands.cli import main
from search.engine.reporter import Silent
from search.launched import id_of
from search.storage.files import seal, unsealed
from search.storage.run_folder import RunFolder
from search.storage.run_record import RunRecord, write_run_record

SMALL = """\
grammar: default
tasks: [digits]
strategy: {name: evolution, population: 12, tournament: 3}
budget: 24
cohorts: {size: 6, lag: 1}
baseline: {functions: none}
training: {seeds: 2, race: [], steps: 12, rungs: [6], learning_rates: [0.002, 0.008]}
confirmation: {finalists: 1, seeds: 6, steps: 12, rounds: 0, unseen: null}
workers: {count: 0}
"""


@pytest.fixture(autouse=True)
def tests_are_not_users_files() -> Iterator[None]:
    """What lies beside a file that a test had run counts as a user's from then on: such files have a folder apart."""
    yield
    assert Path(__file__).parent not in ending._FOLDERS


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config of a small job, in a folder of its own that is the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def on_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's workers train all: a small job would end in its own process before they are there."""
    monkeypatch.setattr("search.run.names_files", lambda _: True)


class Told(Silent):
    """Keeps the lines that it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def resealed(path: Path, changes: Mapping[str, object], *, without: str = "") -> None:
    """Change a sealed file as its run would have written it."""
    data = json.loads(path.read_text()) | changes
    data.pop("sha256")
    data.pop(without, None)
    path.write_text(json.dumps(seal(data)))


def forged_config(run: Run, settings: JsonObject) -> None:
    """Make a folder that of a run of other settings, with all seals, as a stranger can."""
    folder, record = RunFolder(run.path), RunRecord(id_of(settings), settings)
    lines = [unsealed(line, "trace", folder.run) for line in folder.trace.read_bytes().splitlines()]
    write_run_record(folder.record, record)
    folder.config.write_text(yaml.safe_dump(settings))
    sealed = (folder.environment, folder.confirmation, folder.timing)
    for path in (*sealed, *folder.cohorts.glob("*.json"), *folder.baseline.glob("*.json")):
        if path.exists():
            resealed(path, {"run": record.id})
    folder.trace.write_text("".join(f"{json.dumps(seal(line, record.id))}\n" for line in lines))


def contents(run: Run) -> tuple[str, list[object], object]:
    """What must not differ between two runs: the front, all classes, the confirmation."""
    return run.folder.front.read_text(), [dict(row) for row in run.classes()], run.confirmation()


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs actsearch; gives exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["actsearch", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return run
