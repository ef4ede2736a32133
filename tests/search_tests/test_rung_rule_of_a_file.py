"""A rung rule of a user's file: it rejects in a job, and mistakes are named with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluators.rejection import base
from primitives.errors import UserFileError
from search import Job, Run
from search.errors import ConfigError

MINE = """\
import numpy as np

from evaluators.rejection import RungRule


class Strict(RungRule):
    name = "strict"

    def thresholds(self, known, target):
        return [float(np.sort(column)[len(column) // 4]) for column in known.rows[:, :-1].T]

    def describe(self, target):
        return "three quarters"
"""
RULE = "rejection={rule: 'mine.py:Strict', warmup: 12, audit: 0.2}"
FEW = ["cohorts.lag=0", "confirmation.finalists=0", "budget=30"]


@pytest.fixture
def file(small: Path) -> Path:
    path = small.with_name("mine.py")
    path.write_text(MINE)
    return path


def test_it_rejects_and_is_pinned(file: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "SMALLEST_SET", 12)
    run = Job.load(small, [RULE, *FEW]).launch("one")
    assert run.config.rejection.rule.startswith(f"{file}:Strict@")
    assert any(row["reason"] == "unpromising" for row in run.classes())
    file.unlink()
    with pytest.raises(UserFileError, match=r"cannot read .*mine.py: No such file"):
        Run.open("one").resume(changes=["budget=36"])
    assert Run.open("one").front()
    assert "then mine.py:Strict" in Run.open("one").report().read_text()


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        (("", ""), "Strikt", "mine.py has no rung rule 'Strikt'; did you mean 'Strict'.; available: Strict$"),
        (("", ""), "np", "np is no rung rule: expected a subclass of evaluators.rejection.RungRule"),
        (("def describe", "def describes"), "Strict", "rung rule Strict fails: TypeError: .*abstract.*describe"),
        (("// 4", "* 4"), "Strict", "mine.py, line 10: IndexError"),
        (("[:, :-1]", ""), "Strict", "expected finite thresholds for at most 2 of 3 rungs"),
        (("float(np.sort(column)[len(column) // 4])", "np.inf"), "Strict", "expected finite thresholds"),
    ],
)
def test_what_cannot_be_used(file: Path, small: Path, change: tuple[str, str], name: str, message: str) -> None:
    file.write_text(MINE.replace(*change))
    with pytest.raises(UserFileError, match=message):
        Job.load(small, [f"rejection.rule='mine.py:{name}'"])
    assert not Path("runs").exists()


def test_a_reference_without_a_name(small: Path) -> None:
    with pytest.raises(ConfigError, match=r"rejection.rule: 'mine.py': expected a file and a name in it"):
        Job.load(small, ["rejection.rule=mine.py"])
