"""Promise 1 on two kinds of processor, played by one: what is equal on both is equal, and the rest is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

#: Kernels without vector instructions, in torch and in its matrix library.
OTHER = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
LAG = 1  # of the small job


def actsearch(*words: str, level: dict[str, str]) -> str:
    """A command in a process of its own, at a level of the processor; what it said."""
    code = "from search.commands.cli import main; main()"
    root = str(Path(__file__).parents[2])
    environment = os.environ | level | {"OMP_NUM_THREADS": "1", "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout


def cohorts(run: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(Path("runs", run, "cohorts").iterdir())]


def results(cohort: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in cohort["result"].items() if key != "seconds"}


def machine(run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("runs", run, "environment.json").read_text())
    return found


def test_candidates_are_the_same_up_to_the_first_result_that_differs(small: Path) -> None:
    for name, level in (("own", {}), ("other", OTHER)):
        actsearch("launch", str(small), "--run", name, level=level)
    own, other = cohorts("own"), cohorts("other")
    assert len(own) == len(other) == 4
    assert [cohort["proposals"] for cohort in own[: LAG + 1]] == [cohort["proposals"] for cohort in other[: LAG + 1]]
    same = [results(a) == results(b) for a, b in zip(own, other, strict=True)]
    for number in range(LAG + 1, len(own)):
        if all(same[: number - LAG]):
            assert own[number]["proposals"] == other[number]["proposals"]
    if all(same):
        assert Path("runs/own/front.csv").read_text() == Path("runs/other/front.csv").read_text()
    assert all(same) or machine("own")["rounding"] != machine("other")["rounding"]  # else nobody is warned


def test_a_resume_on_another_kind_says_so_and_keeps_what_is_there(small: Path) -> None:
    actsearch("launch", str(small), "--run", "straight", level={})
    actsearch(
        "launch", str(small), "--run", "moved", "--set", "budget=12", "--set", "confirmation.finalists=0", level={}
    )
    before = [path.read_bytes() for path in sorted(Path("runs/moved/cohorts").iterdir())]
    own = machine("moved")
    said = " ".join(actsearch("resume", "moved", "--set", "budget=24", level=OTHER).split())
    now = machine("moved")
    assert [path.read_bytes() for path in sorted(Path("runs/moved/cohorts").iterdir())][:2] == before
    # cohorts 2 and 3 come from the results of 0 and 1, which were trained before the move
    assert [cohort["proposals"] for cohort in cohorts("moved")] == [c["proposals"] for c in cohorts("straight")]
    if now["rounding"] == own["rounding"]:
        assert "results may differ" not in said
    else:
        assert "results may differ from here on" in said
        assert f"rounding: {own['rounding']} -> {now['rounding']}" in said
        assert now["before"]["rounding"] == own["rounding"]
