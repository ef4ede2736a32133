"""docs/tutorial.md: every command that it shows is executed, in order, and every file that it saves is written."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from primitives.equivalence.builtin import as_builtin
from primitives.expression.parsing import parse
from search import Run
from search.commands.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text()

#: For the quick run: as few and short trainings as still give all that the page goes on to use.
FEWER = {
    "quickstart": [
        "--set",
        "budget=16",
        "--set",
        "cohorts.size=16",
        "--set",
        "training.steps=12",
        "--set",
        "training.rungs=[6]",
    ],
    "your-own-network": [
        "--set",
        "cohorts.size=8",
        "--set",
        "budget=8",
        "--set",
        "training.steps=8",
        "--set",
        "training.rungs=[4]",
    ],
}
KNOWN = ["--set", "baseline.functions=[tanh, sine]"]
ALL = [*KNOWN, "--workers", "0", "--set", "training.seeds=2", "--set", "confirmation={finalists: 1, seeds: 7}"]


def blocks() -> list[str]:
    """The page's indented blocks, dedented."""
    found = re.findall(r"(?:^(?: {4}.*)?\n)*^ {4}.*\n", PAGE, re.MULTILINE)
    return [textwrap.dedent(block).strip("\n") for block in found]


def steps() -> list[tuple[str, str]]:
    """What the reader does: ("save my_network.py", its text) or ("run", a command)."""
    found = []
    for block in blocks():
        if name := re.match(r"# (\w+\.py)\n", block):
            found.append((f"save {name[1]}", block + "\n"))
        found += [("run", line[2:]) for line in block.splitlines() if line.startswith("$ ")]
    return found


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a clone: `docs/`, and `actsearch` and `python` on the path."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    programs = tmp_path / ".venv"
    programs.mkdir()
    python = shlex.quote(sys.executable)
    for name, does in {"actsearch": "-c 'from search.commands.cli import main; main()'", "python": ""}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {python} {does} "$@"\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(command: str) -> str:
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def fewer(words: list[str]) -> list[str]:
    """A command of the page with a small budget."""
    if words[0] == "launch":
        return [*words, *ALL, *FEWER[words[1]]]
    return [*words, "--steps", "8"] if words[0] == "evaluate" else words


def test_the_page_is_read() -> None:
    commands = [text for kind, text in steps() if kind == "run"]
    for word in ("show", "launch", "status", "front", "confirm", "export", "evaluate"):
        assert any(command.startswith(f"actsearch {word} ") for command in commands), word
    assert [kind for kind, _ in steps() if kind != "run"] == ["save my_network.py"]
    shown = re.findall(r"^ +\$? ?(actsearch .*|python .*|cp .*)$", PAGE, re.MULTILINE)
    assert shown == commands  # none is hidden from this test
    install = [line for block in blocks() for line in block.splitlines() if "pip install" in line]
    assert install == [".venv/bin/pip install -c constraints.txt -e ."]
    assert "pip install" in (ROOT / "Makefile").read_text()


def test_it_works_with_a_small_budget(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, text in steps():
        if kind != "run":
            (clone / kind.removeprefix("save ")).write_text(text)
        elif text.startswith("actsearch "):
            monkeypatch.setattr(sys, "argv", ["actsearch", *fewer(shlex.split(text)[1:])])
            with pytest.raises(SystemExit) as end:
                main()
            assert not end.value.code, f"{text}\n{capsys.readouterr().err}"
        else:
            shell(text)
    assert (clone / "curve.svg").stat().st_size > 1000
    assert (clone / "runs" / "mine" / "front.csv").is_file()


@pytest.mark.slow
def test_it_works_as_it_stands(clone: Path) -> None:
    """Some three minutes on two quiet cores."""
    said = {}
    for kind, text in steps():
        if kind == "run":
            said[text] = shell(text)
        else:
            (clone / kind.removeprefix("save ")).write_text(text)
    (found,) = (row["expression"] for row in Run.open(clone / "runs" / "quickstart").classes() if row["id"] == "0.13")
    card = (clone / "found" / "act_0_13" / "README.md").read_text()
    assert str(found) in card or as_builtin(parse(str(found))).text in card
    losses = re.findall(r"seed \d: ReLU ([\d.]+), found ([\d.]+)", said["python my_network.py"])
    assert len(losses) == 3
    assert all(0 < float(value) < 1 for pair in losses for value in pair)
