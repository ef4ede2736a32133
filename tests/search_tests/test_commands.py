"""Every command does what its help says; data comes as JSON too."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from search import Run
from search.commands.cli import main
from tests.plain import confirmation


class Shell:
    """Runs the command line in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> str:
        self.monkeypatch.setattr(sys, "argv", ["actsearch", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = self.capsys.readouterr()
        assert not end.value.code, captured.err
        return captured.out

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


def test_a_run_from_launch_to_export(small: Path, shell: Shell) -> None:
    out = shell("launch", str(small), "--run", "one")
    assert "[24/24] cohort 3" in out
    assert "Pareto front" in out and "Finalists over ReLU on 6 fresh seeds" in out and "Null controls" in out
    found = confirmation(Run.open("one"))
    assert found is not None
    assert "Measured time here in ReLUs" in out
    assert list(Run.open("one").timing()) == [row["id"] for row in found["finalists"]]
    status = shell.json("status", "one")
    assert (status["trained"], status["budget"]) == (24, 24)
    assert status["confirmed"] in (0, 1)
    front = shell.json("front", "one")
    assert front == Run.open("one").front()
    assert next(csv.DictReader(io.StringIO(shell("front", "one", "--csv"))))["id"] == front[0]["id"]
    assert Path("runs/one/front.csv").read_text() == shell("front", "one", "--csv")
    rows = shell.json("front", "one", "--all")
    assert len(rows) == 24
    assert all((row["gain"] is None) == bool(row["reason"]) for row in rows)
    paths = shell.json("export", "one", front[0]["id"], "--to", "torch,latex", "--out", "out")
    assert {Path(path).suffix for path in paths} == {".md", ".py", ".svg", ".tex"}
    assert all(Path(path).is_file() for path in paths)
    assert "Pareto front" in shell("front", "one")
    assert "classes of" in shell("front", "one", "--all")


def test_launch_in_json_prints_json_alone(small: Path, shell: Shell) -> None:
    data = shell.json("launch", str(small), "--set", "budget=6")
    assert set(data) == {"status", "front", "known", "confirmation"}
    assert data["status"]["trained"] == 6


def test_resume_and_confirm(small: Path, shell: Shell) -> None:
    shell("launch", str(small), "--run", "one", "--max-minutes", "0")
    assert not Path("runs/one/confirmation.json").exists()
    shell("resume", "one", "--set", "budget=30")
    assert shell.json("status", "one")["trained"] == 30
    before = json.loads(Path("runs/one/confirmation.json").read_text())
    assert shell.json("confirm", "one") == {key: before[key] for key in before if key not in {"run", "sha256"}}


def test_dry_run_writes_nothing(small: Path, shell: Shell) -> None:
    found = shell.json("launch", str(small), "--dry-run")
    assert found["classes_per_minute"] > 0
    assert found["minutes_to_the_end"] > 0
    assert found["counts"]["accepted"] == 6
    assert [path.name for path in small.parent.iterdir()] == ["small.yaml"]


def test_show(shell: Shell) -> None:
    found = shell.json("show", "2*x*sigmoid(x)")
    assert found["known"] == {"name": "SiLU", "relation": "scaled"}
    assert found["screen"] == "passed"
    assert "SiLU" in shell("show", "x*sigmoid(x)")


def test_show_where_nothing_is_finite(shell: Shell) -> None:
    assert shell.json("show", "log(-1-x**2)")["screen"] == "non-finite"


def test_evaluate(shell: Shell) -> None:
    found = shell.json("evaluate", "relu(x)", "tanh(x)", "--task", "digits", "--seeds", "2", "--steps", "10")
    assert found[0]["gain"] == 0.0
    assert set(found[1]["gain_over"]) == {"relu", "gelu", "silu"}
    assert found[1]["controls"]["relu"]["gain"] == 0.0 and found[1]["controls"]["gelu"]["cost"] > 1.0


def test_evaluate_shows_the_controls_objectives(shell: Shell) -> None:
    names = ("cost", "sparsity", "reproducibility", "churn", "relative_difference", "ece", "brier")
    given = ("evaluate", "tanh(x)", "--seeds", "2", "--steps", "5", "--objectives", ",".join(names))
    out, rows = shell(*given), list(csv.DictReader(io.StringIO(shell(*given, "--csv"))))
    assert [row["expression"] for row in rows] == ["tanh(x)", "relu", "gelu", "silu"]
    assert [row["kind"] for row in rows] == ["function"] + 3 * ["control"]
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    for row, label in zip(rows, ("tanh(x)", "ReLU", "GELU", "SiLU"), strict=True):
        shown = " ".join(line for line in lines if line.startswith(f" {label} "))
        assert all(f"{float(row[name]):.3f}" in shown for name in names)


@pytest.mark.parametrize(
    "what", ["operators", "grammars", "catalogue", "tasks", "strategies", "objectives", "configs", "targets"]
)
def test_list(shell: Shell, what: str) -> None:
    rows = shell.json("list", what)
    assert rows
    assert {tuple(row) for row in rows} == {tuple(rows[0])}  # or a table's columns would slide
    assert str(rows[0]["name"]).split()[0] in shell("list", what)


def test_help_of_every_command(shell: Shell) -> None:
    text = shell("--help")
    for command in (
        "launch",
        "resume",
        "status",
        "front",
        "confirm",
        "export",
        "evaluate",
        "show",
        "fewbit",
        "tabulate",
        "replay",
        "list",
    ):
        assert command in text
        own = shell(command, "--help")
        assert "--help" in own
        assert "--json" in own  # all of them print data
        assert ("--quiet" in own) == (command in {"launch", "resume", "confirm", "tabulate"})
