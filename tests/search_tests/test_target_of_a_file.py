"""A lowering target of a user's file: exports write it, and mistakes are named with file and line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from primitives import lower, parse, targets
from primitives.errors import LoweringError, UserFileError
from primitives.lowering import files
from search import Job
from search.commands.cli import main

MINE = """\
from primitives.lowering import Target


def words(expression, name, factor):
    return f"{name} is {factor:.1f} times {expression.text}"


def test(expression, name, factor):
    return {f"test_{name}.txt": "read it"}


WORDS = Target(".txt", words, test)
"""


@pytest.fixture
def file(small: Path) -> Path:
    path = small.with_name("mine.py")
    path.write_text(MINE)
    return path


def test_it_is_a_target_like_the_others(file: Path) -> None:
    assert lower(parse("tanh(x)"), "mine.py:WORDS", name="f", factor=2.0) == "f is 2.0 times tanh(x)"
    assert list(files(parse("tanh(x)"), "mine.py:WORDS", name="f")) == ["f.txt", "test_f.txt"]
    assert not any("mine" in name for name in targets())


def test_export_on_the_command_line(file: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Job.load(small, ["budget=6", "confirmation.finalists=0"]).launch("one")
    monkeypatch.setattr(sys, "argv", ["actsearch", "export", "one", "--to", "latex, mine.py:WORDS"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    (folder,) = run.folder.exports.iterdir()
    assert {f"{folder.name}.tex", f"{folder.name}.txt", f"test_{folder.name}.txt"} <= {p.name for p in folder.iterdir()}


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        (("", ""), "WARDS", "mine.py has no lowering target 'WARDS'; did you mean 'WORDS'.; available: WORDS$"),
        (("", ""), "words", "words is no lowering target: expected an instance of primitives.lowering.Target"),
        (("expression.text", "expression.txt"), "WORDS", "lowering target WORDS fails: .*mine.py, line 5: Attribute"),
    ],
)
def test_what_cannot_be_used(file: Path, change: tuple[str, str], name: str, message: str) -> None:
    file.write_text(MINE.replace(*change))
    with pytest.raises(UserFileError, match=message):
        lower(parse("x"), f"mine.py:{name}")
    with pytest.raises(LoweringError, match="a factor is finite and not 0"):
        lower(parse("x"), "latex", factor=0.0)
