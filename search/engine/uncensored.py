"""The calibration set of early rejection, held as numbers: each cohort looks at all of it, up to 5,000 rows a job."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from evaluators.training.member import Array


class Uncensored:
    """Relative losses of the classes that were trained to the end whatever their losses were."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._losses = array("d")
        self._rungs = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, number: int, losses: Sequence[float]) -> None:
        """Take a trial in: its number, larger than those before, and its relative loss at each rung.

        Raises:
            ValueError: it has more or fewer rungs than those before.
        """
        if self._numbers and len(losses) != self._rungs:
            raise ValueError(f"expected {self._rungs} relative losses of trial {number}, got {len(losses)}")
        self._rungs = len(losses)
        self._numbers.append(number)
        self._losses.extend(losses)

    def rows(self, end: int | None = None) -> Array:
        """The relative losses of all trials, or of those before number ``end``: (trials, rungs)."""
        count = len(self._numbers) if end is None else bisect_left(self._numbers, end)
        return np.array(self._losses[: count * self._rungs]).reshape(count, self._rungs or 1)
