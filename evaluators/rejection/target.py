"""The recall target: which rows of a calibration set are the best, and how many of them may be lost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluators.training.member import Array

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RecallTarget:
    """What rejection has to hold: ``recall`` of the best ``top`` of all candidates, both fractions."""

    recall: float = 0.95
    top: float = 0.01


def counted(rows: int, target: RecallTarget) -> tuple[int, int]:
    """How many rows of a set count as the best, and how many of these may be lost.

    Of k exchangeable rows, a threshold at the worst of those kept is met by a new one with probability
    kept / (k + 1), as in conformal prediction (Vovk et al. 2005); so ceil(recall (k + 1)) are kept. The best are
    ``top`` of the rows, and at least recall / (1 - recall), the fewest that can promise the recall: 19 for 0.95. So
    the fewer the rows, the wider the top: 7 % of 256, 1 % from 1,900 on.
    """
    recall = target.recall
    fewest = math.ceil(recall / (1.0 - recall) - 1e-9) if recall < 1.0 else rows
    best = max(fewest, math.ceil(target.top * rows))
    return best, max(0, best - math.ceil(recall * (best + 1) - 1e-9))


def best_rows(final: Array, target: RecallTarget) -> Mask:
    """Which rows count as the best: a bar on the final values, see :func:`counted`.

    Rows that equal the last one count too; infinite ones never.
    """
    finite = np.sort(final[np.isfinite(final)])
    count = min(len(finite), counted(len(final), target)[0])
    best: Mask = final <= (finite[count - 1] if count else -math.inf)
    return best
