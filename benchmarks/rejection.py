"""Replay recorded learning curves in random orders: compute against recall of the best, for ways of rejecting early.

Each file holds full curves of distinct candidates (`record_curves.py`). A replay meets them in cohorts of 25, as a job
does: thresholds come from the cohorts before the last one, from the warm-up and the audited; failures go in every way.
Recall is the share of the table's best 1 % (5 %) that is trained to the end, judged by the same seeds or by the one
that took no part in the decisions. Compute is in optimiser steps, warm-up and audit included, as a share of
everything to the end.

    python benchmarks/rejection.py benchmarks/data/curves-400.npz benchmarks/data/curves-160.npz
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from evaluators.member import Array
from evaluators.rejection import Aim, calibrate, cheapest, promise
from evaluators.rungs import failure
from evaluators.tasks import task

COHORT, LAG, ORDERS = 25, 1, 20
AUDIT = 0.05
TOPS = (0.01, 0.05)


@dataclass(frozen=True)
class Field:
    """What decisions see and what they are judged by.

    Args:
        rows: promises, (candidates, stages), infinite from a failure on.
        losses: at each candidate's best rate, relative to nothing, for median stopping.
        truth: final values that recall is judged by.
        steps: the stages' lengths.
    """

    rows: Array
    losses: Array
    truth: Array
    steps: Array

    def best(self, top: float) -> Array:
        """The table's true top: a mask."""
        mask: Array = np.zeros(len(self.truth), dtype=bool)
        mask[np.argsort(self.truth, kind="stable")[: max(1, round(top * len(mask)))]] = True
        return mask


def read(path: Path, deciding: Sequence[int], judging: Sequence[int]) -> Field:
    """A recorded table, decided by some seeds and judged by others."""
    with np.load(path) as stored:
        setting = task(str(stored["task"]))
        losses, relu = (np.maximum(stored[name].astype(np.float64), setting.loss_floor) for name in ("losses", "relu"))
        marks = stored["marks"]
    rows = promises(losses[:, :, deciding], relu[:, deciding], setting.chance)
    truth = promises(losses[:, :, judging], relu[:, judging], setting.chance)[:, -1]
    level = np.array([math.log(stage.mean(axis=0).min()) for stage in relu[:, deciding]])
    return Field(rows, np.exp(rows + level), truth, np.diff([0, *marks]))


def promises(losses: Array, relu: Array, chance: float | None) -> Array:
    """(candidates, stages), infinite from the stage of a failure on."""
    rows = np.array([[promise(*pair) for pair in zip(one, relu, strict=True)] for one in losses])
    failed = np.array([[bool(failure(*pair, chance)) for pair in zip(one, relu, strict=True)] for one in losses])
    rows[np.logical_or.accumulate(failed, axis=1)] = math.inf
    return rows


def reached(passed: Array, steps: Array) -> float:
    """Compute of candidates that passed stages, (candidates, stages - 1)."""
    share = np.concatenate([[1.0], np.logical_and.accumulate(passed, axis=1).mean(axis=0)])
    return float(share @ steps / steps.sum())


def cohorts(count: int) -> Iterator[tuple[slice, int]]:
    """The places of each cohort in an order, and how many candidates' results are known to it."""
    for start in range(0, count, COHORT):
        yield slice(start, start + COHORT), max(0, start - LAG * COHORT)


def calibrated(field: Field, rng: np.random.Generator, aim: Aim, warmup: int) -> Array:
    """Our way: (candidates, stages - 1), which stages each one passes."""
    rows = field.rows
    free = (np.arange(len(rows)) < warmup) | (rng.random(len(rows)) < AUDIT)
    passed = np.isfinite(rows[:, :-1])
    for here, known in cohorts(len(rows)):
        thresholds = calibrate(rows[:known][free[:known]], field.steps, aim)
        if thresholds:
            passed[here] &= (rows[here, :-1] <= np.array(thresholds)) | free[here, None]
    return passed


def median_stopping(field: Field, rng: np.random.Generator) -> Array:
    """Stopped where the best loss so far is above the median of earlier candidates' mean losses so far (Vizier)."""
    losses = field.losses[:, :-1]
    means = np.cumsum(losses, axis=1) / np.arange(1, losses.shape[1] + 1)
    best = np.minimum.accumulate(losses, axis=1)
    passed = np.isfinite(losses)
    for here, known in cohorts(len(losses)):
        for stage in range(losses.shape[1]):
            arrived = passed[:known, :stage].all(axis=1)
            if arrived.sum() >= 5:
                passed[here, stage] &= best[here, stage] <= np.median(means[:known, stage][arrived])
    return passed


def halving(field: Field, rng: np.random.Generator, eta: int) -> Array:
    """At each rung the best 1/eta of those that reached it, the whole table at once."""
    rows = field.rows[:, :-1]
    passed = np.isfinite(rows)
    here, keep = np.arange(len(rows)), len(rows)
    for stage in range(rows.shape[1]):
        keep = math.ceil(keep / eta)
        here = here[np.argsort(rows[here, stage], kind="stable")[:keep]]
        lost = np.ones(len(rows), dtype=bool)
        lost[here] = False
        passed[lost, stage] = False
    return passed


def hindsight(field: Field, rng: np.random.Generator, recall: float) -> Array:
    """The cheapest fixed thresholds for this very table and truth, which no job can know."""
    best = field.best(0.01) & np.isfinite(field.rows[:, -1])
    spare = len(field.truth) // 100 - math.ceil(recall * (len(field.truth) // 100) - 1e-9)
    return field.rows[:, :-1] <= np.array(cheapest(field.rows, best, field.steps, max(0, spare)))


def failures(field: Field, rng: np.random.Generator) -> Array:
    """Only failures go."""
    return np.isfinite(field.rows[:, :-1])


Way = Callable[[Field, np.random.Generator], Array]


def ways(warmup: int) -> dict[str, Way]:
    """What is compared."""
    made: dict[str, Way] = {"failures only": failures}
    for recall in (0.80, 0.90, 0.95, 0.99):
        made[f"calibrated, recall {recall}"] = partial(calibrated, aim=Aim(recall), warmup=warmup)
    made |= {f"best fixed in hindsight, {recall}": partial(hindsight, recall=recall) for recall in (0.95, 1.0)}
    made |= {f"successive halving, eta {eta}": partial(halving, eta=eta) for eta in (2, 3)}
    return made | {"median stopping": median_stopping}


def replay(field: Field, way: Way, orders: int) -> tuple[Array, dict[float, Array]]:
    """Compute and recall by top of each random order."""
    spent, recalls = [], {top: [] for top in TOPS}
    for number in range(orders):
        rng = np.random.Generator(np.random.PCG64(number))
        order = rng.permutation(len(field.truth))
        shuffled = Field(field.rows[order], field.losses[order], field.truth[order], field.steps)
        passed = way(shuffled, rng)
        spent.append(reached(passed, field.steps))
        ended = passed.all(axis=1)
        for top in TOPS:
            recalls[top].append(ended[shuffled.best(top)].mean())
    return np.array(spent), {top: np.array(values) for top, values in recalls.items()}


def print_table(path: Path, warmup: int, orders: int) -> None:
    """All ways on one file, judged by the same and by fresh seeds."""
    for title, splits in (
        ("same seeds", [((0, 1, 2), (0, 1, 2))]),
        ("fresh seed: decided by two, judged by the third", [((0, 1), (2,)), ((0, 2), (1,)), ((1, 2), (0,))]),
    ):
        fields = [read(path, *split) for split in splits]
        print(f"\n{path.name}: {len(fields[0].truth)} candidates, warm-up {warmup}, {title}")
        print(f"{'':32} compute   worst | top 1 %  worst | top 5 %  worst")
        for name, way in ways(warmup).items():
            found = [replay(field, way, orders) for field in fields]
            spent = np.concatenate([one[0] for one in found])
            cells = [f"{spent.mean():8.3f} {spent.max():7.3f}"]
            for top in TOPS:
                values = np.concatenate([one[1][top] for one in found])
                cells.append(f"{values.mean():7.3f} {values.min():6.2f}")
            print(f"{name:32}" + " | ".join(cells), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--warmup", type=int, default=256)
    parser.add_argument("--orders", type=int, default=ORDERS)
    arguments = parser.parse_args()
    for file in arguments.files:
        print_table(file, arguments.warmup, arguments.orders)
