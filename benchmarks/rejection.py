"""Replay recorded learning curves in random orders: compute against recall of the best, for ways of rejecting early.

Each file holds full curves of distinct candidates (`data/record_curves.py`). A replay meets them in cohorts of 25, as a
job does: thresholds come from the cohorts before the last one, from the warm-up and the audited; failures go in every
way.
Recall is the share of the table's best 1 % (5 %) that is trained to the end, judged by the same seeds or by those that
took no part in the decisions. Compute is in optimiser steps, warm-up and audit included, as a share of
everything to the end; "later" is that of the candidates behind the warm-up, and "3,200" what both make of a job of
that size. "Misled" is the same table with the relative losses of its first two rungs dealt anew among all that did not
fail.
Where "the worst rate dropped" is said, each candidate loses its worst learning rate at the first rung, as in a job, in
every way; who is best is judged with all rates all the same. Last, what dropping rates at other rungs costs.

    python benchmarks/rejection.py benchmarks/data/curves-400.npz benchmarks/data/curves-160.npz
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from evaluators.rejection import CalibrationSet, RecallTarget, failure, relative_loss, rung_rule
from evaluators.rejection.recall import cheapest
from evaluators.rejection.target import Mask
from evaluators.tasks import task
from evaluators.training.member import Array, Schedule, better_rates

COHORT, LAG, ORDERS = 25, 1, 20
AUDIT = 0.05
TOPS = (0.01, 0.05)


@dataclass(frozen=True)
class Field:
    """What decisions see and what they are judged by.

    Args:
        rows: relative losses, (candidates, stages), infinite from a failure on.
        losses: at each candidate's best rate, relative to nothing, for median stopping.
        truth: final values that recall is judged by, all learning rates trained.
        work: of the stages, in steps times learning rates.
        full: work of all stages with all learning rates.
    """

    rows: Array
    losses: Array
    truth: Array
    work: Sequence[int]
    full: float

    def best(self, top: float) -> Mask:
        """The table's true top."""
        mask: Mask = np.zeros(len(self.truth), dtype=bool)
        mask[np.argsort(self.truth, kind="stable")[: max(1, round(top * len(mask)))]] = True
        return mask


def read(path: Path, deciding: Sequence[int], judging: Sequence[int], drop: bool) -> Field:
    """A recorded table, decided by some seeds and judged by others; with or without dropping learning rates."""
    with np.load(path) as stored:
        setting = task(str(stored["task"]))
        losses, relu = (np.maximum(stored[name].astype(np.float64), setting.loss_floor) for name in ("losses", "relu"))
        *rungs, last = stored["marks"].tolist()
        schedule = Schedule(last, tuple(rungs), tuple(stored["rates"].tolist()), drop)
    seen, seen_relu = losses[:, :, deciding], relu[:, deciding]
    if drop:
        seen, seen_relu = np.array([dropped(one) for one in seen]), dropped(seen_relu)
    rows = relative_losses(seen, seen_relu, setting.chance)
    truth = relative_losses(losses[:, :, judging], relu[:, judging], setting.chance)[:, -1]
    level = np.array([math.log(np.nanmin(stage.mean(axis=0))) for stage in seen_relu])
    return Field(rows, np.exp(rows + level), truth, schedule.work, float(last * len(schedule.rates)))


def dropped(curves: Array) -> Array:
    """Losses (stages, seeds, rates) without those of the worst rate at the first stage, from the second on."""
    curves = curves.copy()
    worst = set(range(curves.shape[2])) - set(better_rates(curves[0]))
    curves[1:, :, list(worst)] = math.nan
    return curves


def relative_losses(losses: Array, relu: Array, chance: float | None) -> Array:
    """(candidates, stages), infinite from the stage of a failure on."""
    rows = np.array([[relative_loss(*pair) for pair in zip(one, relu, strict=True)] for one in losses])
    failed = np.array([[bool(failure(*pair, chance)) for pair in zip(one, relu, strict=True)] for one in losses])
    rows[np.logical_or.accumulate(failed, axis=1)] = math.inf
    return rows


def misled(field: Field) -> Field:
    """The field with relative losses at the first two stages that say nothing."""
    rows, losses, rng = field.rows.copy(), field.losses.copy(), np.random.Generator(np.random.PCG64(0))
    for stage in (0, 1):
        there = np.flatnonzero(np.isfinite(rows[:, stage]))
        other = rng.permutation(there)
        rows[there, stage], losses[there, stage] = rows[other, stage], losses[other, stage]
    return replace(field, rows=rows, losses=losses)


def reached(passed: Mask, field: Field) -> float:
    """Compute of candidates that passed stages, (candidates, stages - 1)."""
    share = np.concatenate([[1.0], np.logical_and.accumulate(passed, axis=1).mean(axis=0)])
    return float(share @ np.array(field.work) / field.full)


def cohorts(count: int) -> Iterator[tuple[slice, int]]:
    """The places of each cohort in an order, and how many candidates' results are known to it."""
    for start in range(0, count, COHORT):
        yield slice(start, start + COHORT), max(0, start - LAG * COHORT)


def calibrated(field: Field, rng: np.random.Generator, target: RecallTarget, warmup: int) -> Mask:
    """Our way: (candidates, stages - 1), which stages each one passes."""
    rows = field.rows
    free = (np.arange(len(rows)) < warmup) | (rng.random(len(rows)) < AUDIT)
    passed = np.isfinite(rows[:, :-1])
    for here, known in cohorts(len(rows)):
        rungs = [("", stage) for stage in range(rows.shape[1])]
        known_rows = CalibrationSet(rows[:known][free[:known]], rungs, field.work)
        thresholds = rung_rule("recall").calibrate(known_rows, target)
        if thresholds:
            passed[here] &= (rows[here, :-1] <= np.array(list(thresholds.values()))) | free[here, None]
    return passed


def median_stopping(field: Field, rng: np.random.Generator) -> Mask:
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


def halving(field: Field, rng: np.random.Generator, eta: int) -> Mask:
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


def hindsight(field: Field, rng: np.random.Generator, recall: float) -> Mask:
    """The cheapest fixed thresholds for this very table and truth, which no job can know."""
    best = field.best(0.01) & np.isfinite(field.rows[:, -1])
    spare = len(field.truth) // 100 - math.ceil(recall * (len(field.truth) // 100) - 1e-9)
    limits = np.array(cheapest(field.rows, best, field.work, max(0, spare)), dtype=float)
    return np.asarray(field.rows[:, :-1] <= limits)


def failures(field: Field, rng: np.random.Generator) -> Mask:
    """Only failures go."""
    return np.isfinite(field.rows[:, :-1])


Seeds = tuple[tuple[int, ...], tuple[int, ...]]  # that decide, that judge
Way = Callable[[Field, np.random.Generator], Mask]


def ways(warmup: int) -> dict[str, Way]:
    """What is compared."""
    made: dict[str, Way] = {"failures only": failures}
    for recall in (0.80, 0.90, 0.95, 0.99):
        made[f"calibrated, recall {recall}"] = partial(calibrated, target=RecallTarget(recall), warmup=warmup)
    made["best fixed in hindsight"] = partial(hindsight, recall=0.95)
    made |= {f"successive halving, eta {eta}": partial(halving, eta=eta) for eta in (2, 3)}
    return made | {"median stopping": median_stopping}


def replay(field: Field, way: Way, warmup: int, orders: int) -> list[list[float]]:
    """For each random order: compute of all, compute of those behind the warm-up, recall of each top."""
    found = []
    for number in range(orders):
        rng = np.random.Generator(np.random.PCG64(number))
        order = rng.permutation(len(field.truth))
        shuffled = replace(field, rows=field.rows[order], losses=field.losses[order], truth=field.truth[order])
        passed = way(shuffled, rng)
        spent = [reached(passed, field), reached(passed[warmup:], field)]
        ended = np.asarray(passed.all(axis=1))
        found.append([*spent, *(float(ended[shuffled.best(top)].mean()) for top in TOPS)])
    return found


def print_table(title: str, fields: Sequence[Field], warmup: int, orders: int) -> None:
    """All ways on one table; several fields are several splits of its seeds."""
    print(f"\n{title}: {len(fields[0].truth)} candidates, warm-up {warmup}, {orders} orders")
    print(f"{'':29} compute  worst  later  3,200 | top 1 %  worst | top 5 %  worst")
    for name, way in ways(warmup).items():
        found = np.array([one for field in fields for one in replay(field, way, warmup, orders)])
        spent, later, *recalls = found.T
        early = np.mean([reached(failures(field, np.random.default_rng(0)), field) for field in fields])
        job = (warmup * early + (3200 - warmup) * later.mean()) / 3200 if name.startswith("calibrated") else math.nan
        cells = [f"{spent.mean():8.3f} {spent.max():6.3f} {later.mean():6.3f} {job:6.3f}"]
        cells += [f"{recall.mean():7.3f} {recall.min():6.2f}" for recall in recalls]
        print(f"{name:29}" + " | ".join(cells), flush=True)


def print_rates(path: Path) -> None:
    """Learning rates dropped at each rung, chosen by the mean over the seeds: how often wrong, and what it costs."""
    with np.load(path) as stored:
        means = stored["losses"].astype(np.float64).mean(axis=2)
    means = np.where(np.isfinite(means), means, math.inf)
    means = means[np.isfinite(means[:, -1]).any(axis=1)]
    final, every = means[:, -1], np.arange(len(means))
    top = np.argsort(final.min(axis=1), kind="stable")[: round(0.05 * len(means))]
    print(f"\n{path.name}: learning rates at each rung, all candidates (best 5 %)")
    for stage in range(means.shape[1] - 1):
        best, worst = means[:, stage].argmin(axis=1), means[:, stage].argmax(axis=1)
        rest = final.copy()
        rest[every, worst] = math.inf
        lost = {"worst dropped": rest.min(axis=1), "only the best kept": final[every, best]}
        right = best == final.argmin(axis=1)
        texts = [f"best is the final best {right.mean():.2f} ({right[top].mean():.2f})"]
        for name, loss in lost.items():
            cost = np.log(np.minimum(loss, 1e3) / final.min(axis=1))
            texts.append(f"{name}: {cost.mean():.4f} nats ({cost[top].mean():.4f})")
        print(f"rung {stage + 1}: " + "; ".join(texts))


def divisions(path: Path) -> tuple[list[Seeds], list[Seeds], list[Seeds]]:
    """Seeds that decide and seeds that judge.

    The same ones; others, of six or more the first three and the next, of three two and one; and, as in a race, one
    that decides and all others that judge.
    """
    with np.load(path) as stored:
        every = tuple(range(stored["losses"].shape[2]))
    others = [tuple(other for other in every if other != one) for one in every]
    lone: list[Seeds] = [((one,), rest) for one, rest in zip(every, others, strict=True)]
    if len(every) < 6:
        return [(every, every)], [(rest, (one,)) for one, rest in zip(every, others, strict=True)], lone
    first, second = every[:3], every[3:6]
    return [(first, first), (second, second)], [(first, second), (second, first)], lone


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, default=sorted((Path(__file__).parent / "data").glob("*.npz")))
    parser.add_argument("--warmup", type=int, default=256)
    parser.add_argument("--orders", type=int, default=ORDERS)
    arguments = parser.parse_args()
    for file in arguments.files:
        for drop, rates in ((True, "the worst rate dropped"), (False, "all rates")):
            same, fresh, lone = ([read(file, *seeds, drop) for seeds in each] for each in divisions(file))
            for title, fields in (
                ("same seeds", same),
                ("decided by some seeds, judged by the others", fresh),
                ("decided by one seed, judged by the others", lone),
                ("misled, same seeds", [misled(field) for field in same]),
            ):
                print_table(f"{file.name}, {rates}, {title}", fields, arguments.warmup, arguments.orders)
        print_rates(file)
