"""A table has what the run has: expressions, objectives, losses by seed at the end and at rungs; replay reads it."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from evaluators.training.member import best_rate
from primitives.plain_file import MOST
from search import Job, Run
from search.commands.cli import app
from search.errors import ReplayError, RunError
from search.tabular.score_table import read_table
from search.tabular.tabulate import CHANGES, tabulated, write_table

SETTINGS = ["budget=18", "training.learning_rates=[0.001,0.003,0.01]", "strategy={name: random}", "workers.count=0"]


def job(config: Path, *changes: str) -> Job:
    return Job.load(config, [*SETTINGS, *changes, *CHANGES])


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_says_what_the_run_says(small: Path) -> None:
    run = tabulated(job(small), "table")
    assert write_table(run, Path("table.csv")) == 18
    found, classes = rows(Path("table.csv")), run.classes()
    assert [row["expression"] for row in found] == [row["expression"] for row in classes]
    assert [float(row["gain"]) if row["gain"] else None for row in found] == [row["gain"] for row in classes]
    results = [json.loads(path.read_text())["result"] for path in sorted(run.folder.cohorts.iterdir())]
    trained = [row for result in results for row in result["candidates"]]
    for row, candidate in zip(found, trained, strict=True):
        for step, losses in candidate["losses"]["digits"].items():
            table = np.array(losses, dtype=float)
            assert np.isfinite(table).all()  # no learning rate was dropped
            suffix = "" if int(step) == run.config.training.steps else f"@{step}"
            own = [float(row[f"loss{seed}{suffix}"]) for seed in range(run.config.training.seeds)]
            assert own == table[:, best_rate(table)].tolist()


def test_a_packed_table_is_the_same_one(small: Path) -> None:
    run = tabulated(job(small), "table")
    write_table(run, Path("table.csv"))
    write_table(run, Path("table.csv.gz"))
    first = Path("table.csv.gz").read_bytes()
    assert gzip.decompress(first) == Path("table.csv").read_bytes()
    write_table(run, Path("table.csv.gz"))
    assert Path("table.csv.gz").read_bytes() == first
    packed, plain = read_table(Path("table.csv.gz")), read_table(Path("table.csv"))
    assert (packed.expressions, packed.objectives) == (plain.expressions, plain.objectives)


TEXT = b"expression,gain\ngelu(x),1\nx,2\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT, "is not a whole file of gzip: Not a gzipped file"),
        (gzip.compress(TEXT)[:-12], "is not a whole file of gzip: Compressed file ended"),
        (gzip.compress(TEXT)[:-8] + bytes(8), "is not a whole file of gzip: CRC check failed"),
        (gzip.compress(TEXT + bytes(MOST)), "more than 67108864 bytes when it is unpacked"),
        (gzip.compress(b"\xff" + TEXT), "can't decode byte"),
    ],
    ids=["plain", "cut", "checksum", "bomb", "no text"],
)
def test_a_damaged_packed_table_is_refused_by_name(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(content)
    with pytest.raises(ReplayError, match=re.escape(f"{path}: cannot be read: ") + ".*" + re.escape(message)):
        read_table(path)


def test_replay_reads_the_gains(small: Path) -> None:
    run = tabulated(job(small), "table")
    write_table(run, Path("table.csv"))
    table = read_table(Path("table.csv"))
    gains = {row["expression"]: row["gain"] for row in run.classes()}
    for expression, values in zip(table.expressions, table.objectives, strict=True):
        expected = gains[expression.text]
        assert values["gain"] == (-np.inf if expected is None else expected)
        assert {"gain", "cost"} == set(values)


def test_the_same_command_goes_on_and_another_job_is_refused(small: Path) -> None:
    tabulated(job(small, "budget=12"), "table")
    longer, whole = tabulated(job(small), "table"), tabulated(job(small), "whole")
    assert longer.classes() == whole.classes()
    with pytest.raises(RunError, match=r"table is a run of another job: seed differ"):
        tabulated(job(small, "seed=5"), "table")
    assert Run.open("table").classes() == whole.classes()


def test_several_tasks_have_columns_of_their_own(small: Path) -> None:
    run = tabulated(job(small, "tasks=[digits, digits-10x32]", "budget=6"), "table")
    write_table(run, run.folder.table)
    (first, *_) = rows(run.folder.table)
    assert {"loss0:digits", "loss1:digits-10x32", f"loss0:digits@{run.config.training.rungs[0]}"} <= first.keys()
    assert len(read_table(run.folder.table).expressions) == 6


def test_from_config_to_replay(small: Path) -> None:
    changes = [part for change in SETTINGS for part in ("--set", change)]
    done = CliRunner().invoke(
        app, ["tabulate", str(small), *changes, "--json", "--out", "t.csv"], catch_exceptions=False
    )
    assert json.loads(done.stdout) == {"table": "t.csv", "classes": 18}
    command = ["replay", "t.csv", "--strategy", "evolution", "--budget", "8", "--repeats", "2", "--json"]
    assert "evolution" in json.loads(CliRunner().invoke(app, command, catch_exceptions=False).stdout)
