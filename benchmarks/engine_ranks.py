"""Whether the native engine ranks functions as torch did: classes of a recorded table, trained anew by it.

For each seed: Kendall's tau of the classes' gains by the engine with those in the table, which torch has trained on the
same seed, beside tau between two seeds of the table. The engine's is to be no lower: else it would change a ranking
more than another seed does. Classes that the table has no finite gain of are left out: their training was stopped.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations, islice
from pathlib import Path

import numpy as np
import torch
from scipy.stats import kendalltau

from benchmarks.data.record_curves import BATCH, table
from evaluators.machine.backend import CPU
from evaluators.seeds import derive, numpy_generator
from evaluators.tasks import task
from evaluators.training.chains.choice import not_native
from evaluators.training.member import Array, CohortMember, Schedule
from evaluators.training.train import train
from primitives import parse
from search.tabular.score_table import Losses

HERE = Path(__file__).parent / "data"
#: What the seeds of a table were derived from.
SEEDS = {"swish-5x32": ("search", "seed"), "mnist1d-mlp-4x32": ("curves", "seed")}


def trained(
    name: str, origin: tuple[str, str], texts: list[str], seeds: int, marks: list[int], rates: tuple[float, ...]
) -> tuple[Array, Array]:
    """Last losses by the engine, shape (classes, seeds, rates), and those of ReLU."""
    chosen, schedule = task(name), Schedule(marks[-1], tuple(marks[:-1]), rates)
    derived = tuple(derive(0, *origin, number) for number in range(seeds))
    losses: list[Array] = []
    relu = np.zeros(0)
    for start in range(0, len(texts), BATCH):
        batch = ("relu(x)", *texts[start : start + BATCH])
        members = [CohortMember(parse(text), derived, protected=True) for text in batch]
        outcomes = [table(outcome, marks)[-1].astype(float) for outcome in train(chosen, "search", members, schedule)]
        relu = outcomes[0]
        losses += outcomes[1:]
    return np.stack(losses), relu


def gains(candidates: Array, reference: Array) -> Array:
    """Gains of each class by seed, shape (seeds, classes)."""
    losses = Losses(candidates, reference)
    return np.stack([losses.gains([seed]) for seed in range(losses.seeds)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="*", default=list(SEEDS), choices=list(SEEDS))
    parser.add_argument("--classes", type=int, default=300, help="drawn from each table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.tables:
        with np.load(HERE / f"{name}.npz") as stored:
            texts, losses, relu = stored["expressions"].tolist(), stored["losses"][:, -1], stored["relu"][-1]
            marks, rates, of_task = stored["marks"].tolist(), tuple(stored["rates"].tolist()), str(stored["task"])
        chosen = task(of_task)
        order = numpy_generator(0, "engine ranks", name).permutation(len(texts)).tolist()
        whole = np.isfinite(gains(losses.astype(float), relu.astype(float)).min(axis=0))
        taken = (row for row in order if whole[row] and not not_native(chosen, "search", parse(texts[row]), CPU))
        rows = list(islice(taken, arguments.classes))
        started = time.thread_time()
        own, own_relu = trained(of_task, SEEDS[name], [texts[row] for row in rows], losses.shape[1], marks, rates)
        seconds = time.thread_time() - started
        engine, recorded = gains(own, own_relu), gains(losses[rows].astype(float), relu.astype(float))
        same = [kendalltau(a, b).statistic for a, b in zip(engine, recorded, strict=True)]
        between = [kendalltau(a, b).statistic for a, b in combinations(recorded, 2)]
        print(
            f"{name}: {len(rows)} classes, {1e3 * seconds / len(rows):.0f} ms each; ReLU's losses differ by at most "
            f"{np.abs(own_relu / relu - 1).max():.1e}; tau of engine and table on one seed {np.mean(same):.3f} "
            f"({min(same):.3f} to {max(same):.3f}), between two seeds of the table {np.mean(between):.3f} "
            f"({min(between):.3f} to {max(between):.3f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
