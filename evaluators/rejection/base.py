"""The contract of a rung rule: it rejects candidates that are unpromising, though they have not failed.

A rung is a step of one task at which losses are compared; the end of a task is its last rung. A rule learns thresholds
from the calibration set, candidates that were trained to the end whatever their losses were. Rows of finished survivors
would not do: they are what the thresholds let through, and learning from them never showed what was lost.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from evaluators.rejection.target import RecallTarget
from evaluators.results.reasons import Reason
from evaluators.training.member import Array

#: Task and step.
Rung = tuple[str, int]

#: What a rule has learnt: the largest relative loss that goes on, by rung. A rung without one lets all go on.
Thresholds = Mapping[Rung, float]

SMALLEST_SET = 100  # rows; with fewer, only failures are rejected


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationSet:
    """Candidates that were trained to the end whatever their losses were.

    Args:
        rows: relative losses, (candidates, rungs), infinite from a failure on; the last rung is the end.
        rungs: in the order of training.
        work: steps of training before each rung, behind the one before.
    """

    rows: Array
    rungs: Sequence[Rung]
    work: Sequence[int]


class RungRule(ABC):
    """Rejects candidates at a rung by its thresholds. Failures are rejected under any rule, see :func:`failure`.

    A rule has no state of its own: thresholds travel with the cohort to its workers.
    """

    name: ClassVar[str]  #: in configs

    def calibrate(self, known: CalibrationSet, target: RecallTarget) -> Thresholds:
        """Thresholds by rung; none while the set is too small. They do not depend on the order of the rows."""
        if len(known.rows) < SMALLEST_SET:
            return {}
        return dict(zip(known.rungs, self.thresholds(known, target), strict=False))

    @abstractmethod
    def thresholds(self, known: CalibrationSet, target: RecallTarget) -> Sequence[float]:
        """Finite thresholds of the first rungs, in order; at most one for each rung but the last.

        Args:
            known: at least 100 rows.
            target: what the job wants to be held.
        """

    @abstractmethod
    def describe(self, target: RecallTarget) -> str:
        """What is rejected, for people; "" if only failures are."""

    def decide(self, thresholds: Thresholds, rung: Rung, relative_loss: float) -> Reason | None:
        """Why a candidate is rejected at a rung, or None if it goes on.

        A cohort may be split when a worker dies: the decision knows one candidate, not its company.
        """
        return Reason.UNPROMISING if rung in thresholds and relative_loss > thresholds[rung] else None
