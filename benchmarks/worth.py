"""Is a search worth its time? The same number of trained classes spent in four ways, judged beside the best known one.

For each task and run seed:

- relu: no search; ReLU's learning rate is chosen among many, at the compute of the other ways as far as that helps
- catalogue: the known functions, without any search
- random, evolution, surrogate: searches without a baseline, with as many classes as the catalogue has

From each way comes the function with the highest gain in the search, and from the catalogue the five best. All are
trained once more, on fresh seeds, the confirmation's data and the larger network. Printed is for each way the gain of
its function over the best known one, which is the one of the five that is closest to it, as a job's confirmation takes
it: the mean over the run seeds with a 95 % t interval, and the smallest mean that so many run seeds show in four of
five cases. Runs are kept in ``--folder``; the same command continues.

    python benchmarks/worth.py --tasks digits digits-10x32 mnist1d-mlp-4x32 tabular-diabetes
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.controls import CONTROLS
from evaluators.objectives import gains
from evaluators.statistics import interval, smallest_effect
from evaluators.training.member import Array
from primitives import parse
from search import Job, Run
from search.baseline.functions import known_functions
from search.terminal.tables import table

WAYS = ("catalogue", "random", "evolution", "surrogate")
RATES = (2e-3, 8e-3)
BEST, RELU_RATES = 5, 24
TASKS = ["digits", "digits-10x32", "mnist1d-mlp-4x32", "tabular-diabetes"]


def searched(task: str, way: str, seed: int, arguments: argparse.Namespace) -> list[str]:
    """The functions of a way, best first."""
    folder = arguments.folder / f"{task}-{way}-{seed}"
    known = [expression.text for _, expression in known_functions("catalogue", 1, map(parse, CONTROLS.values()))]
    budget = arguments.budget or len(known)
    start = json.dumps(known[:budget] if way == "catalogue" else [])
    changes = [
        f"tasks=[{task}]", f"seed={seed}", f"budget={budget}", f"start={start}", "baseline.functions=none",
        f"strategy={{name: {'random' if way == 'catalogue' else way}}}", "confirmation.finalists=0",
        f"training.steps={arguments.steps}", f"training.rungs=[{arguments.steps // 4}]",
        f"training.learning_rates={list(RATES)}", "training.seeds=2", f"workers.count={arguments.workers}",
    ]  # fmt: skip
    run = Run.open(folder).resume() if folder.exists() else Job.load("quickstart", changes).launch(str(folder))
    rows = [row for row in run.class_rows() if row.gain is not None]
    return [row.expression for row in sorted(rows, key=lambda row: -(row.gain or 0.0))]


def fresh(task: str, texts: Sequence[str], seed: int, arguments: argparse.Namespace) -> dict[str, Array]:
    """Test gains over ReLU of functions by fresh seed; ``relu`` is ReLU at the best of many learning rates."""
    path = arguments.folder / f"{task}-{seed}.json"
    known: dict[str, list[float]] = json.loads(path.read_text()) if path.exists() else {}
    if not {"relu", *texts} <= set(known):
        request = CohortRequest(
            tuple(dict.fromkeys(texts)), (task,), seed, arguments.seeds, arguments.steps, rates=RATES,
            purpose="confirmation", nulls=0,
        )  # fmt: skip
        trained = run_cohort(request)
        grid = tuple(float(rate) for rate in np.geomspace(3e-4, 3e-2, RELU_RATES))
        tuned = run_cohort(
            CohortRequest((), (task,), seed, arguments.seeds, arguments.steps, rates=grid, purpose="confirmation")
        )
        rows = {**dict(zip(request.expressions, trained.candidates, strict=True)), "relu": tuned.controls["relu"]}
        known = {text: gains(row, trained.reference, [task], test=True)[0].tolist() for text, row in rows.items()}
        path.write_text(json.dumps(known))
    return {text: np.array(values) for text, values in known.items()}


def over_best_known(task: str, seed: int, arguments: argparse.Namespace) -> dict[str, float]:
    """For each way the gain of its function over the known one that is closest to it."""
    ways = {way: searched(task, way, seed, arguments) for way in WAYS}
    best = ways["catalogue"][:BEST]
    picked = {"relu": "relu", **{way: found[0] for way, found in ways.items()}}
    table = fresh(task, [*best, *(text for text in picked.values() if text != "relu")], seed, arguments)
    return {
        way: min(float((table[text] - table[other]).mean()) for other in best if other != text)
        for way, text in picked.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tasks", nargs="+", default=["digits", "digits-10x32", "mnist1d-mlp-4x32", "tabular-diabetes"]
    )
    parser.add_argument("--run-seeds", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=16, help="fresh ones")
    parser.add_argument("--steps", type=int, default=96)
    parser.add_argument("--budget", type=int, default=0, help="classes of each way; 0: as many as the catalogue has")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("runs/worth"))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for task in arguments.tasks:
        rows = [over_best_known(task, seed, arguments) for seed in range(arguments.run_seeds)]
        Console(width=100).print(_shown(task, rows))


def _shown(task: str, rows: Sequence[dict[str, float]]) -> object:
    lines = []
    for way in rows[0]:
        values = [row[way] for row in rows]
        low, high = interval(values) or (float("nan"), float("nan"))
        shown = smallest_effect(len(values), float(np.std(values, ddof=1)))
        lines.append([way, f"{np.mean(values):+.3f}", f"{low:+.3f} {high:+.3f}", f"{shown:.3f}"])
    title = f"{task}: gain over the best known function, nats, {len(rows)} run seeds"
    return table(title, ["way", "mean", "95 %", "smallest effect shown"], lines)


if __name__ == "__main__":
    main()
