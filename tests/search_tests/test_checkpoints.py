"""A job that is killed in the middle of a cohort goes on from the rung; states are gone when cohorts are done."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from search import Job, Run

CHANGES = ["budget=12", "training.steps=400", "training.rungs=[40, 300]", "confirmation.finalists=0"]


def kill_at_a_rung(config: Path, name: str, changes: Sequence[str] = CHANGES) -> None:
    """Launch a job in a process of its own; kill it once a state is there."""
    sets = [part for change in [*changes, "workers.checkpoint_seconds=0"] for part in ("--set", change)]
    command = [sys.executable, "-c", "from search.commands.cli import main; main()"]
    with subprocess.Popen(
        [*command, "launch", str(config), "--run", name, *sets], stdout=subprocess.DEVNULL
    ) as process:
        while not list(Path("runs", name, "checkpoints").glob("*.pt")):
            assert process.poll() is None, "the job ended without a checkpoint"
            time.sleep(0.01)
        process.kill()


def contents(run: Run) -> list[object]:
    records = [json.loads(path.read_text()) for path in sorted(run.folder.cohorts.iterdir())]
    return [(record["proposals"], record["result"]["candidates"]) for record in records]


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_in_the_middle_of_a_cohort(small: Path, workers: int) -> None:
    kill_at_a_rung(small, "killed")
    resumed = Run.open("killed").resume(workers=workers)
    whole = Job.load(small, CHANGES).launch("whole")
    assert resumed.folder.front.read_bytes() == whole.folder.front.read_bytes()
    assert contents(resumed) == contents(whole)
    assert list(resumed.folder.checkpoints.iterdir()) == []


def test_leftovers_are_swept_at_resume(small: Path) -> None:
    run = Job.load(small, CHANGES).launch("left", max_minutes=0.0)
    for name in ("000000-0123.pt", "000000-0123.77.tmp"):
        (run.folder.checkpoints / name).write_bytes(b"old")
    run.resume()
    assert list(run.folder.checkpoints.iterdir()) == []
