"""Gains over several controls at once: a cohort's candidates are all compared with the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np

from evaluators.objectives.gain import chosen_losses, gains
from evaluators.results.records import MemberResult
from evaluators.training.member import Array


@final
class Against:
    """Some controls of a cohort.

    Args:
        controls: by name, each with a result on every task.
        tasks: names.

    Attributes:
        even: all controls have losses on the same seeds of every task; only then is their table made once.
    """

    def __init__(self, controls: Mapping[str, MemberResult], tasks: Sequence[str]) -> None:
        self._controls, self._tasks = controls, tasks
        rows = [_chosen(control, tasks) for control in controls.values()]
        self.even = bool(rows) and len({None if row is None else row.shape for row in rows} | {None}) == 2
        self._chosen = np.stack([row for row in rows if row is not None]) if self.even else np.zeros((0, 0, 0))
        self.even = self.even and len(self._chosen) == len(rows)

    def gains(self, row: MemberResult) -> dict[str, Array]:
        """:func:`evaluators.objectives.gains` over each control, bit for bit: tasks x seeds."""
        chosen = _chosen(row, self._tasks) if self.even else None
        if chosen is None or chosen.shape != self._chosen.shape[1:]:
            return {name: gains(row, control, self._tasks) for name, control in self._controls.items()}
        tables = np.empty_like(self._chosen)
        first = next(iter(self._controls.values()))
        for place, task in enumerate(self._tasks):
            tables[:, place] = first.comparison(task).gain(chosen[place], self._chosen[:, place])
        return dict(zip(self._controls, tables, strict=True))


def _chosen(row: MemberResult, tasks: Sequence[str]) -> Array | None:
    """Losses at the best rates, tasks x seeds; None without some of them, or where tasks have different seeds."""
    tables = [chosen_losses(row, task) for task in tasks]
    found = [table for table in tables if table is not None]
    if len(found) < len(tables) or len({len(table) for table in found}) != 1 or len(found[0]) != row.seeds:
        return None
    return np.stack(found)
