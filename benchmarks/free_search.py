"""Strategies in real jobs, on a grammar of which no table can be made: each with the same number of trained classes.

The quickstart job with another strategy and several run seeds, which decide proposals, initial weights and the order of
the data. Printed are, for each strategy: the gain of the best class so far by the search's own seeds, after a quarter,
half and all of the budget, on average over the run seeds; the gain of the best in confirmation, on fresh seeds, other
images and larger networks; and by how much both are above those of ``random`` at the same run seed, with the p of a
paired sign-flip test over the run seeds (two-sided: 5 of them cannot give less than 1/16).

    python benchmarks/free_search.py --seeds 5
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from typing import Any

import numpy as np

from evaluators.seeds import numpy_generator
from evaluators.statistics import sign_flip
from search import Job

STRATEGIES: dict[str, str] = {
    "random": "{name: random}",
    "evolution": "{name: evolution}",
    "surrogate": "{name: surrogate}",
}
PARTS = (0.25, 0.5, 1.0)


def job(strategy: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One job: the best gain after parts of the budget, and its gain in confirmation."""
    changes = [f"strategy={strategy}", f"seed={seed}", f"budget={arguments.budget}", "confirmation.finalists=1"]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        started = time.perf_counter()
        run = Job.load("quickstart", [*changes, *arguments.set]).launch()
        seconds = time.perf_counter() - started
        gains = [-np.inf if row.gain is None else row.gain for row in run.class_rows()]
        found = run.confirmation()
    tested = found.finalists if found else ()
    confirmed = [row.verdict.gains["relu"].mean for row in tested if row.verdict.gains]
    best = [max(gains[: round(part * len(gains))]) for part in PARTS]
    return {"best": best, "confirmed": confirmed[0] if confirmed else 0.0, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=204)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes the job, as in launch")
    arguments = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in STRATEGIES}
    for seed in range(arguments.seeds):
        for name, strategy in STRATEGIES.items():
            found[name].append(job(strategy, seed, arguments))
            print(f"seed {seed}, {name}: {found[name][-1]}", flush=True)
    print(f"{'':12}{'best so far':>30}{'confirmed':>12}{'best over random':>22}{'confirmed over random':>24}")
    for name, runs in found.items():
        scores = np.array([[*run["best"], run["confirmed"]] for run in runs])
        above = scores - [[*run["best"], run["confirmed"]] for run in found["random"]]
        print(f"{name:12}" + "".join(f"{value:+10.3f}" for value in scores.mean(axis=0)), end="")
        for column in (-2, -1):
            p = sign_flip(above[:, column].tolist(), numpy_generator(0, "free search"))
            print(f"{above[:, column].mean():+14.3f}, {p:.3f}", end="")
        print()


if __name__ == "__main__":
    main()
