"""Racing seeds on recorded losses: what a class costs, and what the five that are chosen lack of the best.

Each repeat deals the seeds of a table anew: some decide, the others judge. Classes come in random order in cohorts of
24, a cohort late, as in a job; laps and their limits are the job's own (``search/engine/racing.py``). Regret is how far
the five that a way chooses are below the five that all deciding seeds of all classes choose, judged by the other seeds.
"Same classes" gives every way the whole table or a sample of it; "same cost" gives each as many classes as the race's
seeds pay for: here what a way saves buys more classes, so that the best of them is better. No class is rejected early.

    python benchmarks/racing.py benchmarks/data/swish-5x32.npz
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluators.expected_gain import expected_gains, padded
from evaluators.training.member import Array
from search.engine.racing import Shares, laps

COHORT, LAG, CHOSEN = 24, 1, 5


@dataclass(frozen=True)
class Losses:
    """Final losses: classes x seeds x rates, and ReLU's, seeds x rates."""

    classes: Array
    relu: Array

    def gains(self, seeds: Sequence[int]) -> Array:
        """Gain on each seed, each at its best rate over these seeds: classes x seeds; minus infinity if it failed."""
        own, relu = self.classes[:, seeds], self.relu[seeds]
        rates = np.where(np.isfinite(own.mean(axis=1)), own.mean(axis=1), math.inf).argmin(axis=1)
        chosen = np.take_along_axis(own, rates[:, None, None], axis=2)[..., 0]
        gains: Array = np.log(relu[:, np.nanargmin(relu.mean(axis=0))] / chosen)
        gains[~np.isfinite(gains).all(axis=1)] = -math.inf
        return gains


def read(path: Path) -> Losses:
    """The losses at the end of a recorded table, those of classes that have some."""
    with np.load(path) as stored:
        losses, relu = stored["losses"][:, -1].astype(np.float64), stored["relu"][-1].astype(np.float64)
    return Losses(np.maximum(losses, 1e-12), np.maximum(relu, 1e-12))


@dataclass(frozen=True)
class Found:
    """What a way spent, in seeds a class, and the classes that it chose."""

    cost: float
    chosen: Sequence[int]


def each(prefixes: Sequence[Array], order: Sequence[int], seeds: int) -> Found:
    """Every class on as many seeds."""
    means = prefixes[seeds][order].mean(axis=1)
    return Found(seeds, [order[n] for n in np.argsort(-means, kind="stable")[:CHOSEN]])


def race(prefixes: Sequence[Array], order: Sequence[int], shares: Shares, *, shrunk: bool = True) -> Found:
    """The job's race from one seed on; the five by expected gain, or by the mean of the seeds that each has."""
    known: list[Array] = []
    for start in range(0, len(order), COHORT):
        chosen = laps(shares, 1, known[: max(0, start - LAG * COHORT)])
        for number in order[start : start + COHORT]:
            seeds = 1
            for lap in chosen:
                mean = prefixes[seeds][number].mean()
                if not (mean >= lap.limit and np.isfinite(mean)):
                    break
                seeds += lap.seeds
            gains = prefixes[seeds][number]
            known.append(gains if np.isfinite(gains).all() else gains[:0])
    means = np.array([row.mean() if len(row) else -math.inf for row in known])
    if shrunk:
        fine = np.flatnonzero(np.isfinite(means))
        field = padded([known[n] for n in fine])
        expected = expected_gains(field, field)
        means[fine] = [one.mean for one in expected or ()]
    cost = float(np.mean([max(1, len(row)) for row in known]))
    return Found(cost, [order[n] for n in np.argsort(-means, kind="stable")[:CHOSEN]])


def repeat(
    table: Losses, deciding: int, shares: Shares, sample: int, rng: np.random.Generator
) -> dict[str, list[float]]:
    """One deal of the seeds: cost and regret of each way."""
    seeds = rng.permutation(table.relu.shape[0]).tolist()
    prefixes = [table.gains(seeds[:n]) if n else np.zeros((0, 0)) for n in range(deciding + 1)]
    truth = table.gains(seeds[deciding:]).mean(axis=1)
    truth = np.maximum(truth, -1.0)  # a chosen class that fails on another seed costs a nat
    order = list(rng.permutation(len(truth)))
    best = truth[each(prefixes, order, deciding).chosen].mean()
    few = order[:sample]
    raced = race(prefixes, few, shares)
    paid = raced.cost * sample
    ways = {f"same classes, {n} each": each(prefixes, few, n) for n in (1, 2, 4) if n <= deciding}
    ways["same classes, race"] = raced
    ways["same classes, race, raw means"] = race(prefixes, few, shares, shrunk=False)
    ways |= {f"same cost, {n} each": each(prefixes, order[: round(paid / n)], n) for n in (1, 2, 4) if n <= deciding}
    return {name: [found.cost, best - truth[found.chosen].mean()] for name, found in ways.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--deciding", type=int, default=5)
    parser.add_argument("--sample", type=float, default=0.5, help="share of the classes")
    parser.add_argument("--race", type=float, nargs="*", default=[0.4, 1, 0.2, 1, 0.1, 2], help="share, seeds, ...")
    arguments = parser.parse_args()
    shares = [(share, int(more)) for share, more in zip(arguments.race[::2], arguments.race[1::2], strict=True)]
    for file in arguments.files:
        table, rng = read(file), np.random.Generator(np.random.PCG64(0))
        sample = round(arguments.sample * len(table.classes))
        rows = [repeat(table, arguments.deciding, shares, sample, rng) for _ in range(arguments.repeats)]
        print(f"\n{file.name}: {sample} of {len(table.classes)} classes, {arguments.repeats} deals of the seeds")
        print(f"race {shares}; {arguments.deciding} of {table.relu.shape[0]} seeds decide")
        print(f"{'':30} seeds a class   regret, nats       minus the race's")
        reference = np.array([row["same classes, race"][1] for row in rows])
        for name in rows[0]:
            costs, regrets = np.array([row[name] for row in rows]).T
            error, apart = 1.96 / math.sqrt(len(rows)), regrets - reference
            print(
                f"{name:30} {costs.mean():13.2f}   {regrets.mean():.4f} +- {error * regrets.std(ddof=1):.4f}"
                f"   {apart.mean():+.4f} +- {error * apart.std(ddof=1):.4f}"
            )


if __name__ == "__main__":
    main()
