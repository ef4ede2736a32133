"""The rung rule that rejects failures only."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.rejection.base import CalibrationSet, RungRule
from evaluators.rejection.target import RecallTarget


class Failures(RungRule):
    """Has no threshold: all that have not failed are trained to the end."""

    name = "failures"

    def thresholds(self, known: CalibrationSet, target: RecallTarget) -> Sequence[float]:
        return ()

    def describe(self, target: RecallTarget) -> str:
        return ""
