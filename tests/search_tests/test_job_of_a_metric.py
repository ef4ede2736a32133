"""A job whose task is judged by accuracy: front, tables and report; and jobs of several units."""

from __future__ import annotations

from pathlib import Path

import pytest

from search import Job, Run
from search.commands.shell import title
from search.errors import ConfigError, ReplayError
from search.storage import open_store
from search.tabular.score_table import read_table
from search.terminal.tables import rows_title

FILE = """\
import torch
from torch import nn
from evaluators import Task

class Ring(Task):
    batch_size = 32
    learning_rates = (0.01,)
    direction, compare, unit = "maximise", "difference", "accuracy"

    def network(self):
        return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))

    def data(self, part):
        x = torch.randn(256, 2, generator=torch.Generator().manual_seed(len(part)))
        return x, (x.square().sum(dim=1) > 1.4).long()

    def metric(self, output, target):
        return (output.argmax(dim=1) == target).float()

class Scaled(Ring):
    gain_scale = 0.05
"""


@pytest.fixture
def file(small: Path) -> Path:
    path = small.parent / "mine.py"
    path.write_text(FILE)
    return path


def test_the_front_is_the_metrics_and_its_unit_is_shown(small: Path, file: Path) -> None:
    run = Job.load(small, ["training.learning_rates=[0.01]", f"tasks=[{file}:Ring]"]).launch("one")
    task = run.config.tasks[0]
    accuracy: dict[str, float] = {}
    for record in run.cohorts():
        relu = record.result.reference.losses[task][12]
        for planned, row in zip(record.plan.proposals, record.result.candidates, strict=True):
            if not row.reason:
                accuracy[planned.expression] = float((row.losses[task][12] - relu).mean())
    found = {row.expression: row.gain for row in run.class_rows() if row.reason is None}
    assert found == pytest.approx(accuracy, abs=1e-12)
    assert max(accuracy.values()) == pytest.approx(max(row.gain or 0.0 for row in run.front_rows()))
    assert "in accuracy over the current network" in title(run, run.front_rows())
    page = run.report().read_text(encoding="utf-8")
    assert "gain over the current network (accuracy)" in page
    assert "gain over ReLU (nats)" not in page
    assert Run.open("one").unit == "accuracy"
    assert {row["unit"] for row in Run.open("one").front()} == {"accuracy"}


def test_units_that_have_no_mean_are_refused_with_the_ways_out(small: Path, file: Path) -> None:
    tasks = f"tasks=[digits, {file}:Ring]"
    for changes in ([tasks], [tasks, "aggregate=rank"], [tasks, "confirmation.finalists=0"]):
        with pytest.raises(ConfigError, match=r"digits in nats, .*Ring in accuracy; set aggregate: rank .* gain_scale"):
            Job.load(small, changes)
    assert Job.load(small, [f"tasks=[digits, {file}:Scaled]"])


def test_robustness_is_no_mean_of_nats_and_losses(small: Path, file: Path) -> None:
    with pytest.raises(ConfigError, match="objectives: robustness: a mean of nats"):
        Job.load(small, [f"tasks=[digits, {file}:Scaled]", "objectives=[gain, robustness]"])
    assert Job.load(small, [f"tasks=[{file}:Scaled]", "objectives=[gain, robustness]"])
    assert "robustness in units of the loss" in rows_title("Pareto front", ["gain", "robustness"], "mean", "accuracy")


def test_by_rank_there_is_no_mean_of_units(small: Path, file: Path) -> None:
    changes = [f"tasks=[digits, {file}:Ring]", "aggregate=rank", "confirmation.finalists=0", "budget=6"]
    run = Job.load(small, [*changes, "strategy.population=6"]).launch("ranks")
    trials = [t for t in open_store(run.folder, print, run.config.scoring).trials if not t.reason]
    assert trials
    assert all(len(t.gains) == 2 and not t.gain_over and not t.relative_losses for t in trials)
    assert "as a rank of gains in nats and accuracy" in title(run, run.front_rows())


def test_a_table_of_values_below_0_is_no_table_of_losses(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("expression,loss0\ntanh(x),-0.5\nrelu(x),0.5\n")
    with pytest.raises(ReplayError, match="losses above 0"):
        read_table(path)
