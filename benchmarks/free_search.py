"""Strategies in real jobs, on a grammar of which no table can be made: each with the same number of trained classes.

The quickstart job with another strategy and several run seeds, which decide proposals, initial weights and the order of
the data. Printed are, for each strategy: the gain of the best class so far by the search's own seeds, after a quarter,
half and all of the budget; and the mean gain of the five finalists in confirmation, on fresh seeds, other images and
larger networks, less that of ``random`` at the same run seed, with the p of a paired sign-flip test over the run seeds
(5 seeds cannot give less than 1/32).

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
    """One job: the best gain after parts of the budget, and the finalists' gains."""
    changes = [f"strategy={strategy}", f"seed={seed}", f"budget={arguments.budget}", *arguments.set]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        started = time.perf_counter()
        run = Job.load("quickstart", changes).launch()
        seconds = time.perf_counter() - started
        gains = [-np.inf if row["gain"] is None else row["gain"] for row in run.classes()]
        found = run.confirmation() or {"finalists": []}
    finalists = [row["gains"]["relu"]["mean"] for row in found["finalists"] if row["gains"]]
    best = [max(gains[: round(part * len(gains))]) for part in PARTS]
    return {"best": best, "finalists": float(np.mean(finalists)) if finalists else 0.0, "seconds": seconds}


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
    print(f"{'':12}{'best so far, mean over run seeds':>36}{'finalists':>12}{'over random':>14}{'p':>8}")
    for name, runs in found.items():
        best = np.mean([run["best"] for run in runs], axis=0)
        confirmed = np.array([run["finalists"] for run in runs])
        differences = confirmed - [run["finalists"] for run in found["random"]]
        p = sign_flip(differences.tolist(), numpy_generator(0, "free search"))
        texts = "".join(f"{value:+12.3f}" for value in best)
        print(f"{name:12}{texts}{confirmed.mean():+12.3f}{differences.mean():+14.3f}{p:8.3f}")


if __name__ == "__main__":
    main()
