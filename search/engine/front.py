"""The Pareto front, kept as trials come in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.engine.dominance import dominates


class Front:
    """The trials that no other one dominates; equals Optuna's ``best_trials``.

    Args:
        directions: ``"maximize"`` or ``"minimize"`` for each value.
    """

    def __init__(self, directions: Sequence[str]) -> None:
        self._signs = np.array([1.0 if direction == "minimize" else -1.0 for direction in directions])
        self._numbers: list[int] = []
        self._points = np.zeros((0, len(directions)))

    @property
    def numbers(self) -> list[int]:
        """Trial numbers of the front, in order of entry."""
        return list(self._numbers)

    def add(self, number: int, values: Sequence[float]) -> bool:
        """Enter a trial; True if it is on the front now."""
        point = self._signs * np.array(values)
        if dominates(self._points, point).any():
            return False
        kept = ~dominates(point, self._points)
        self._numbers = [*(n for n, stays in zip(self._numbers, kept, strict=True) if stays), number]
        self._points = np.vstack([self._points[kept], point])
        return True
