"""Median stopping (Golovin et al. 2017, Vizier): a candidate worse than the median at a rung is rejected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.rejection.base import CalibrationSet, RungRule
from evaluators.rejection.target import RecallTarget


class Median(RungRule):
    """The median, at each rung, of the candidates of the calibration set that have not failed there.

    Vizier compares the best loss so far with running means; the relative loss at the rung stands for both.
    """

    name = "median"

    def thresholds(self, known: CalibrationSet, target: RecallTarget) -> Sequence[float]:
        columns = [column[np.isfinite(column)] for column in known.rows[:, :-1].T]
        return [float(np.median(column)) for column in columns if len(column)]

    def describe(self, target: RecallTarget) -> str:
        return "thresholds at the median of each rung"
