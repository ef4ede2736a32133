"""The cheapest thresholds that keep the wanted share of the calibration set's best rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.rejection.base import CalibrationSet, RungRule
from evaluators.rejection.target import Mask, RecallTarget, best_rows, counted
from evaluators.training.member import Array


class Recall(RungRule):
    """Keeps the target's recall of the best, with as little training as can be."""

    name = "recall"

    def thresholds(self, known: CalibrationSet, target: RecallTarget) -> Sequence[float]:
        best = best_rows(known.rows[:, -1], target)
        return cheapest(known.rows, best, known.work, counted(len(known.rows), target)[1])

    def describe(self, target: RecallTarget) -> str:
        return f"thresholds that keep {100 * target.recall:g}% of the best {100 * target.top:g}%"


def alive(rows: Array, thresholds: Sequence[float]) -> Mask:
    """Which rows go on after each rung: (rows, rungs - 1), True where all thresholds so far are met.

    Args:
        rows: relative losses, (rows, rungs).
        thresholds: one for each rung but the last.
    """
    passed: Mask = np.logical_and.accumulate(rows[:, :-1] <= np.asarray(thresholds), axis=1)
    return passed


def compute(rows: Array, thresholds: Sequence[float], work: Sequence[int]) -> float:
    """Fraction of the full compute that rows take under thresholds; ``work`` are the steps before each rung."""
    share = np.concatenate([[1.0], alive(rows, thresholds).mean(axis=0)])
    return float(share @ np.asarray(work) / np.sum(work))


def cheapest(rows: Array, best: Mask, work: Sequence[int], spare: int) -> tuple[float, ...]:
    """Thresholds that keep all but ``spare`` of the best rows, each the worst relative loss of a kept row.

    All of the best are kept at first. Then one row is dropped at a time: the one whose absence saves most compute.
    """
    kept = list(rows[best][np.lexsort(rows[best].T)])
    for _ in range(min(spare, len(kept) - 1)):
        without = _worst_without_each(np.array(kept))
        # few rows are the worst at a rung, so there are few thresholds: looking at all rows for each took longest
        taken = {each: compute(rows, each, work) for each in dict.fromkeys(without)}
        at = min(range(len(kept)), key=lambda i: (taken[without[i]], without[i]))
        kept = kept[:at] + kept[at + 1 :]
    return _worst(kept) if kept else ()


def _worst_without_each(table: Array) -> list[tuple[float, ...]]:
    """For each row the largest values, at all rungs but the last, of the others."""
    ordered = np.sort(table, axis=0)
    largest, second = ordered[-1], ordered[-2]
    return list(map(tuple, np.where(table == largest, second, largest)[:, :-1].tolist()))


def _worst(kept: Sequence[Array]) -> tuple[float, ...]:
    return tuple(np.max(kept, axis=0)[:-1].tolist())
