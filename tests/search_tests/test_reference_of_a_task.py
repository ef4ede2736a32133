"""Jobs on a task of a file: all is over its network as it stands; more controls; runs that were begun with ReLU."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from evaluators.errors import ReferenceLossError
from evaluators.statistics import t_test
from search import ConfigError, Job, Run
from search.commands.cli import main
from search.config import load_config
from search.storage import open_store
from tests.search_tests.conftest import SMALL, contents

FILE = '''
import torch
from torch import nn

from evaluators import Task


class Exp(nn.Module):
    def forward(self, x):
        return torch.exp(x)


class Curve(Task):
    """A small regression whose network has tanh."""

    batch_size = 32
    replaced = (nn.Tanh,)

    def network(self):
        return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))

    def data(self, part):
        x = torch.randn(160, 3, generator=torch.Generator().manual_seed(len(part)))
        return x, x.prod(dim=1, keepdim=True).sin()

    def loss(self, output, target):
        return (output - target).square().mean(dim=1)


class Overflowing(Curve):
    replaced = (Exp,)

    def network(self):
        return nn.Sequential(nn.Linear(3, 8), Exp(), nn.Linear(8, 1))
'''
NAMES = ["current", "relu", "gelu", "silu"]
CHANGES = ["budget=12", "controls=['sin(30*x)', swish]", "start=[sin(x), 'x*atan(x)', 'sin(30*x)']"]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small job on a task of a file beside it, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own.py").write_text(FILE)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace("[digits]", "['own.py:Curve']"))
    return path


def cli(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["actsearch", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_a_job_is_over_the_network_as_it_stands(config: Path) -> None:
    run = Job.load(config, CHANGES).launch("one")
    store = open_store(run.folder, print, run.config.scoring)
    for number in range(2):
        record = store.cohort(number)
        assert record is not None and list(record.result.controls) == [*NAMES, "sin(30*x)", "swish"]
    finished = [trial for trial in store.trials if not trial.reason]
    assert finished
    for trial in finished:
        assert list(trial.gain_over) == [*NAMES, "sin(30*x)", "swish"]
        assert trial.gain == trial.gain_over["current"] == trial.objectives["gain"] != trial.gain_over["relu"]
    assert run.status().controls_repeat
    assert all(row["expression"] != "sin(30*x)" for row in run.classes())  # a control is known from the start
    with run.folder.front.open() as file:
        columns = list(next(csv.reader(file)))
    others = ["relu", "gelu", "silu", "sin(30*x)", "swish"]
    assert [c for c in columns if c.startswith("gain_over_")] == [f"gain_over_{name}" for name in others]


def test_confirmed_is_better_than_all_controls(config: Path) -> None:
    run = Job.load(config, [*CHANGES, "confirmation.finalists=2", "confirmation.seeds=7"]).launch("one")
    confirmation = run.confirmation()
    assert confirmation is not None and confirmation.finalists and confirmation.reference == "current"
    for row in confirmation.finalists:
        v = row.verdict
        assert list(v.gains) == [*NAMES, "sin(30*x)", "swish"]
        worst = min(v.gains, key=lambda name: v.gains[name].mean)
        assert v.best_control == worst
        assert v.gain_over_best_control == pytest.approx(v.gains[worst].mean)
        assert v.p == max(t_test(seeds, confirmation.setting.ratio) for seeds in v.by_seed.values())
        (by_task,) = v.by_task.values()
        assert by_task is not None and by_task.mean == pytest.approx(v.gains["current"].mean)
    assert len(confirmation.nulls) == 4


def test_people_are_told_what_gains_are_over(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Job.load(config, CHANGES).launch("one")
    page = (run.path / "report.html").read_text()
    assert "gain over the current network (nats)" in page and "gain over ReLU" not in page
    assert "better than the current network, ReLU, GELU, SiLU, sin(30*x) and swish, each of them" in page
    assert "<dt>more controls</dt><dd>sin(30*x), swish</dd>" in page
    for arguments in (["front", "one"], ["export", "one"]):
        assert cli(arguments, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "gain in nats over the current network" in said
    assert "over ReLU" in said
    (card,) = (run.path / "exports").rglob("README.md")
    assert "nats over the current network on own.py:Curve" in card.read_text()
    shipped = Job.load(config, ["budget=6", "tasks=[digits]", "confirmation.finalists=0"]).launch("shipped")
    page = (shipped.path / "report.html").read_text()
    assert "gain over ReLU (nats)" in page and "current network" not in page
    assert "better than ReLU, GELU and SiLU, each of them" in page


def test_a_job_on_a_shipped_task_and_ones_own(config: Path) -> None:
    """On the shipped one ReLU stands there; the gain is the mean over both."""
    run = Job.load(config, ["budget=6", "tasks=[digits-2x16, 'own.py:Curve']", "start=[sin(x)]"]).launch("one")
    _, own = run.config.tasks
    trials = [trial for trial in run.read().store.trials if not trial.reason]
    assert trials
    for trial in trials:
        by_task = [sum(seeds) / len(seeds) for seeds in trial.gains.values()]
        assert list(trial.gains) == list(run.config.tasks) and list(trial.gain_over) == NAMES
        assert trial.gain == trial.gain_over["current"] == pytest.approx(sum(by_task) / 2)
    record = next(run.cohorts())
    assert list(record.result.controls["current"].losses) == [own]
    confirmation = run.confirmation()
    assert confirmation is not None and len(confirmation.nulls) == 4
    for row in confirmation.finalists:
        means = [each.mean for each in row.verdict.by_task.values() if each]
        assert row.verdict.gains["current"].mean == pytest.approx(sum(means) / 2)


def test_killed_and_resumed_it_is_the_same(config: Path) -> None:
    whole = Job.load(config, CHANGES).launch("whole")
    Job.load(config, CHANGES).launch("parts", max_minutes=0)
    assert Run.open("parts").status().trained == 6
    assert contents(Run.open("parts").resume()) == contents(whole)


def test_a_run_that_was_begun_with_relu_is_read_and_goes_on_with_it(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("search.engine.loop.keeps_current", lambda config, store: False)  # as older versions
        Job.load(config, ["budget=12"]).launch("old", max_minutes=0)
    assert [c for c in Run.open("old").classes()[0] if c.startswith("gain_over_")] == [
        "gain_over_gelu",
        "gain_over_silu",
    ]
    run = Run.open("old").resume()
    store = open_store(run.folder, print, run.config.scoring)
    for number in range(2):
        record = store.cohort(number)
        assert record is not None and list(record.result.controls) == ["relu", "gelu", "silu"]
    assert run.status().controls_repeat
    confirmation = run.confirmation()
    assert confirmation is not None and confirmation.reference == "relu"
    assert "gain over ReLU (nats)" in (run.path / "report.html").read_text()


def test_without_more_controls_a_config_is_written_as_before(config: Path) -> None:
    plain = Job.load(config, ["budget=6"]).launch("one")
    assert "\ncontrols:" not in plain.folder.config.read_text()
    assert Run.open("one").config.controls == ()
    run = Job.load(config, [*CHANGES, "budget=6"]).launch("two")
    assert Run.open("two").config.controls == run.config.controls == ("sin(30*x)", "swish")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[swihs]", r"small.yaml: controls: 'swihs' is no expression: .*; did you mean 'swish'\?"),
        ("[gelu(x)]", r"controls: 'gelu\(x\)' is the control 'gelu' already; leave it out"),
        ("[swish, swish]", r"controls: 'swish' is the control 'swish' already"),
        ("swish", r"controls: expected a list, as in \[swish\]"),
    ],
)
def test_controls_that_are_none_are_refused_at_load(value: str, message: str, config: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(config, [f"controls={value}"])


def test_a_reference_without_a_finite_loss_ends_with_code_1(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ["tasks=['own.py:Overflowing']", "training.learning_rates=[100.0]", "budget=6"]
    with pytest.raises(ReferenceLossError, match="the network as it stands, the reference of all gains, has no finite"):
        Job.load(config, changes).launch("one")
    Path("own.py").write_text(FILE.replace("replaced = (Exp,)", "replaced = (Exp,)\n    learning_rates = (100.0,)"))
    sets = [f"--set={change}" for change in changes]
    for arguments in (
        ["launch", str(config), "--run", "two", *sets],
        ["evaluate", "sin(x)", "--task", "own.py:Overflowing", "--seeds", "2", "--steps", "20"],
    ):
        assert cli(arguments, monkeypatch) == 1
        captured = capsys.readouterr()
        assert "the network as it stands, the reference of all gains, has no finite loss" in captured.err
        assert "Traceback" not in captured.err and not captured.out.strip().startswith("[")


def test_evaluate_takes_more_controls_and_notes_one_without_a_loss(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", "sin(x)", "--task", "own.py:Curve", "--seeds", "2", "--steps", "12"]
    more = ["--controls", "sin(30*x)", "--controls", "exp(exp(x))"]
    assert cli([*asked, *more, "--json"], monkeypatch) == 0
    captured = capsys.readouterr()
    (row,) = json.loads(captured.out)
    assert list(row["gain_over"]) == [*NAMES, "sin(30*x)", "exp(exp(x))"]
    assert row["gain"] == row["gain_over"]["current"] is not None
    assert row["gain_over"]["exp(exp(x))"] is None
    assert "note: the control exp(exp(x)) has no finite loss; no gain over it is known" in captured.err
    assert cli([*asked, *more], monkeypatch) == 0
    table = capsys.readouterr().out
    assert "gain in nats over the current network" in table and "over sin(30*x)" in table
    assert cli([*asked, "--controls", "swihs"], monkeypatch) == 2
    assert "did you mean 'swish'" in capsys.readouterr().err
