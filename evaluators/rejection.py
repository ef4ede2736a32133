"""Early rejection: thresholds at rungs, calibrated on candidates that were trained to the end whatever they promised.

A stage is one mark of one task, in the order of training; the last one is the end. At every stage but the last a
candidate goes on if its loss relative to ReLU's is at most the stage's threshold. The thresholds are the cheapest that
keep the wanted share of the calibration set's best rows. Rows of finished survivors would not do: they are what the
thresholds let through, and learning from them never showed what was lost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluators.member import Array, best_rate

Mask = NDArray[np.bool_]

#: The largest promise that goes on, by task and step of a rung or of the task's end.
Thresholds = Mapping[tuple[str, int], float]

SMALLEST_SET = 100  # rows; with fewer only failures go


@dataclass(frozen=True, slots=True)
class Aim:
    """What rejection has to hold: ``recall`` of the best ``top`` of all candidates, both fractions."""

    recall: float = 0.95
    top: float = 0.01


def promise(losses: Array, relu: Array) -> float:
    """Mean over the seeds of log(loss / loss of ReLU), each at its best learning rate here; small is good.

    At the end it is the gain's negative. Infinite if the own losses are not finite; 0 for everyone, so that nobody is
    rejected, if ReLU's are not.

    Args:
        losses: seeds x learning rates, above 0.
        relu: ReLU's on the same seeds and rates.
    """
    own, reference = losses[:, best_rate(losses)], relu[:, best_rate(relu)]
    if not np.isfinite(reference).all():
        return 0.0
    return float(np.mean(np.log(own / reference))) if np.isfinite(own).all() else math.inf


def counted(rows: int, aim: Aim) -> tuple[int, int]:
    """How many rows of a set count as the best, and how many of these may be lost.

    Of k exchangeable rows, a threshold at the worst of those kept is met by a new one with probability
    kept / (k + 1), as in conformal prediction (Vovk et al. 2005); so ceil(recall (k + 1)) are kept. The best are
    ``top`` of the rows, and at least recall / (1 - recall), the fewest that can promise the recall: 19 for 0.95. So
    the fewer the rows, the wider the top: 7 % of 256, 1 % from 1,900 on.
    """
    fewest = math.ceil(aim.recall / (1.0 - aim.recall) - 1e-9) if aim.recall < 1.0 else rows
    best = max(fewest, math.ceil(aim.top * rows))
    return best, max(0, best - math.ceil(aim.recall * (best + 1) - 1e-9))


def best_rows(final: Array, aim: Aim) -> Mask:
    """Which rows count as the best: a bar on the final values, see :func:`counted`.

    Rows that equal the last one count too; infinite ones never.
    """
    finite = np.sort(final[np.isfinite(final)])
    count = min(len(finite), counted(len(final), aim)[0])
    best: Mask = final <= (finite[count - 1] if count else -math.inf)
    return best


def alive(rows: Array, thresholds: Sequence[float]) -> Mask:
    """Which rows go on after each stage: (rows, stages - 1), True where all thresholds so far are met.

    Args:
        rows: promises, (rows, stages).
        thresholds: one for each stage but the last.
    """
    passed: Mask = np.logical_and.accumulate(rows[:, :-1] <= np.asarray(thresholds), axis=1)
    return passed


def compute(rows: Array, thresholds: Sequence[float], steps: Sequence[int]) -> float:
    """Fraction of the full compute that rows take under thresholds; ``steps`` are the stages' lengths."""
    share = np.concatenate([[1.0], alive(rows, thresholds).mean(axis=0)])
    return float(share @ np.asarray(steps) / np.sum(steps))


def calibrate(rows: Array, steps: Sequence[int], aim: Aim) -> tuple[float, ...]:
    """The cheapest thresholds that keep the wanted recall of the best rows of a calibration set.

    Args:
        rows: uncensored promises, (rows, stages), infinite from a failure on; the last stage is the end.
        steps: the stages' lengths.
        aim: what to hold.

    Returns:
        One threshold for each stage but the last; none if the set is too small. They do not depend on the rows' order.
    """
    if len(rows) < SMALLEST_SET:
        return ()
    return cheapest(rows, best_rows(rows[:, -1], aim), steps, counted(len(rows), aim)[1])


def cheapest(rows: Array, best: Mask, steps: Sequence[int], spare: int) -> tuple[float, ...]:
    """Thresholds that keep all but ``spare`` of the best rows, each the worst promise of a kept row.

    Beginning with all of the best, the row whose loss saves most is given up, one after the other.
    """
    kept = list(rows[best][np.lexsort(rows[best].T)])
    for _ in range(min(spare, len(kept) - 1)):
        rest = [kept[:i] + kept[i + 1 :] for i in range(len(kept))]
        kept = min(rest, key=lambda some: (compute(rows, _worst(some), steps), _worst(some)))
    return _worst(kept) if kept else ()


def _worst(kept: Sequence[Array]) -> tuple[float, ...]:
    return tuple(np.max(kept, axis=0)[:-1].tolist())
