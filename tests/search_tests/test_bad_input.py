"""Promise 8: bad input gets one clear message that names the place, and nothing is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from search.commands.cli import main

BAD_CONFIGS = [
    ("grammer: default\nbudget: 10\n", ["bad.yaml: unknown key 'grammer'", "did you mean 'grammar'"]),
    ("budget: ten\n", ["bad.yaml: budget", "integer", "'ten'"]),
    ("budget: 1.5\n", ["bad.yaml: budget", "1.5"]),
    ("budget: true\n", ["bad.yaml: budget: expected neither true nor false, got true"]),
    ("Budget: 10\n", ["unknown key 'Budget'; did you mean 'budget'?"]),
    ("BUDGET: 10\n", ["unknown key 'BUDGET'; did you mean 'budget'?"]),
    ("seed: 1\n", ["bad.yaml: budget: required, but missing"]),
    ("budget: 0\n", ["bad.yaml: budget", "greater than or equal to 1"]),
    ("budget: 10\ntraining: {step: 3}\n", ["unknown key 'training.step'", "did you mean 'steps'"]),
    ("budget: 10\ntraining: 7\n", ["bad.yaml: training: expected a section with keys of seeds, race,"]),
    ("budget: 10\ntraining: {seeds: true}\n", ["training.seeds: expected neither true nor false, got true"]),
    ("budget: 10\ntraining: {rungs: 5}\n", ["training.rungs: expected a list, as in [5], got '5'"]),
    (
        "budget: 10\ntraining: {device: cuda:99}\nworkers: {count: 0}\n",
        ["device 'cuda:99' is not here; available: cpu"],
    ),
    ("budget: 10\ntasks: digits\n", ["tasks: expected a list, as in [digits], got 'digits'"]),
    ("budget: 10\ntraining: {rungs: [50, 25]}\n", ["training", "rungs must increase"]),
    ("budget: 10\ntraining: {learning_rates: [-1.0]}\n", ["learning_rates", "above 0"]),
    ("budget: 10\ntraining: {device: gpu}\n", ["training.device", "cpu|cuda", "'gpu'"]),
    ("budget: 10\ntraining: {autocast: half}\n", ["training.autocast", "'bfloat16' or 'float16'", "'half'"]),
    ("budget: 10\ngrammar: defualt\n", ["grammar", "defualt", "did you mean 'default'"]),
    ("budget: 10\ntasks: [digit]\n", ["tasks", "unknown task 'digit'", "did you mean 'digits'"]),
    ("budget: 10\ntasks: []\n", ["tasks"]),
    ("budget: 10\ntasks: [digits, digits]\n", ["tasks", "named twice"]),
    ("budget: 10\nstrategy: evolutoin\n", ["strategy", "unknown strategy 'evolutoin'", "did you mean 'evolution'"]),
    ("budget: 10\nstrategy: {name: evolution, tournment: 3}\n", ["unknown setting 'tournment'", "'tournament'"]),
    ("budget: 10\nstrategy: {name: evolution, tournament: many}\n", ["tournament", "whole number", "'many'"]),
    ("budget: 10\nstrategy: {name: evolution, tournament: 0}\n", ["tournament", "a whole number from 1"]),
    (
        "budget: 10\nstrategy: {name: evolution, tournament: 1.5}\n",
        ["tournament", "a share above 0 and below 1", "1.5"],
    ),
    (
        "budget: 10\nstrategy: {name: evolution, winner: paretto}\n",
        ["winner", "random, pareto", "did you mean 'pareto'"],
    ),
    ("budget: 10\nstrategy: {name: evolution, population: 4}\n", ["tournament 8 is larger than population 4"]),
    ("budget: 10\nstrategy: {name: evolution, crossover: 1.5}\n", ["crossover", "a number from 0 to 1", "1.5"]),
    ("budget: 10\nstrategy: 7\n", ["strategy", "expected a strategy's name"]),
    ("budget: 10\nstart: ['sigmoi(x)']\n", ["start", "sigmoi", "did you mean 'sigmoid'"]),
    ("budget: 10\nconfirmation: {finalists: 5, seeds: 4, rounds: 0}\n", ["seeds: expected at least 5", "got 4"]),
    ("budget: 10\nobjectives: [gain, cots]\n", ["objectives", "unknown objective 'cots'", "did you mean 'cost'"]),
    ("budget: 10\nobjectives: [cost]\n", ["objectives", "expected 'gain'", "got cost"]),
    ("budget: 10\nobjectives: [gain, cost, cost]\n", ["objectives", "named twice"]),
    ("budget: 10\naggregate: means\n", ["aggregate", "'mean', 'minimum' or 'rank'", "'means'"]),
    (
        "budget: 10\nobjectives: [gain, reproducibility]\ntraining: {seeds: 1}\n",
        ["reproducibility needs at least 2 seeds", "got 1"],
    ),
    ("budget: 10\nconfirmation: {unseen: digits}\n", ["bad.yaml: confirmation.unseen: digits is searched"]),
    ("budget: 10\nseed: 1\nbudget: 20\n", ["bad.yaml (line 3, column 1)", "the key 'budget' stands twice"]),
    ("budget: 10\ntraining: {seeds: 2, steps: 9, seeds: 3}\n", ["(line 2, column 32)", "the key 'seeds' stands twice"]),
    ("budget: 10\nseed: 2001-99-99\n", ["bad.yaml is not YAML: month must be in 1..12"]),
    (
        f"budget: {'9' * 5000}\n",
        ["bad.yaml (line 1, column 9) is not YAML: expected a number of at most 100 characters"],
    ),
    ("budget: [1\n", ["bad.yaml (line 2", "is not YAML"]),
    ("- 1\n- 2\n", ["bad.yaml: expected a mapping", "list"]),
    ("", ["bad.yaml: expected a mapping"]),
    ("\x00\x01", ["bad.yaml", "not YAML"]),
]

BAD_COMMANDS = [
    (["launch", "quickstrat"], ["no config file 'quickstrat'", "did you mean 'quickstart'"]),
    (["launch", "."], [".: Is a directory"]),
    (["launch", "quickstart", "--set", "budget"], ["--set 'budget'", "expected key=value"]),
    (["launch", "quickstart", "--set", "seed=2001-99-99"], ["--set 'seed=2001-99-99'", "not a YAML value"]),
    (["launch", "quickstart", "--set", "trainin.steps=3"], ["unknown key 'trainin'", "did you mean 'training'"]),
    (["launch", "quickstart", "--set", "seed.x=3"], ["'seed' is not a section"]),
    (["launch", "quickstart", "--seed", "-1"], ["--seed"]),
    (["launch", "quickstart", "--workers", "two"], ["--workers", "integer"]),
    (["resume", "nothing"], ["no run 'nothing'"]),
    (["status", "nothing"], ["no run 'nothing'"]),
    (["front", "nothing"], ["no run 'nothing'"]),
    (["confirm", "nothing"], ["no run 'nothing'"]),
    (["export", "nothing"], ["no run 'nothing'"]),
    (["show", "sigmoi(x)"], ["position 0", "unknown operator 'sigmoi'", "did you mean 'sigmoid'"]),
    (["show", "x+"], ["position 2", "expected", "end of the text"]),
    (["show", "tanh(x)*(1"], ["position 10", "expected ')'"]),
    (["show", "gamma*x"], ["unknown name 'gamma'", "declare a parameter"]),
    (["evaluate", "x+", "--seeds", "2"], ["position 2"]),
    (["evaluate", "tanh(x)", "--task", "digit"], ["unknown task 'digit'", "did you mean 'digits'"]),
    (["evaluate", "tanh(x)", "--seeds", "1"], ["seeds", "at least 2"]),
    (["evaluate", "tanh(x)", "--objectives", "sparsty"], ["unknown objective 'sparsty'", "did you mean 'sparsity'"]),
    (["list", "opertors"], ["cannot list 'opertors'", "did you mean 'operators'"]),
    (["lunch"], ["lunch"]),
]


def run_cli(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Exit code and what was written to standard error."""
    monkeypatch.setattr(sys, "argv", ["actsearch", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0), " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize(("text", "expected"), BAD_CONFIGS)
def test_bad_config(
    text: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text(text)
    code, error = run_cli(["launch", "bad.yaml"], monkeypatch, capsys)
    assert code == 2
    for part in expected:
        assert part in error
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


@pytest.mark.parametrize(("arguments", "expected"), BAD_COMMANDS, ids=lambda value: " ".join(value)[:40])
def test_bad_command(
    arguments: list[str],
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, error = run_cli(arguments, monkeypatch, capsys)
    assert code == 2
    for part in expected:
        assert part in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
