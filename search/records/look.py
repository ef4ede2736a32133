"""A look: one confirmation on the confirmation part of one task's data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """One look.

    Args:
        time: when it was recorded, ISO 8601.
        run: name of the run's folder.
        task: label of the task.
        data: which data, see :class:`evaluators.tasks.fresh_data.FreshData`.
        draw: of the seeds: looks that agree in it and in the data saw the same numbers.
        seeds: number of seeds.
        finalists: texts of all that were tried.
        p: of each on this task, before correction.
    """

    time: str
    run: str
    task: str
    data: str
    draw: str
    seeds: int
    finalists: tuple[str, ...]
    p: tuple[float, ...]

    @property
    def numbers(self) -> tuple[str, str]:
        """What tells the numbers that were seen."""
        return self.data, self.draw


def looks_before(looks: Sequence[Look], data: str, draw: str) -> list[Look]:
    """The looks at some data before the one with a draw, each once: a repetition shows nothing new.

    Args:
        looks: in the order of time.
        data: which data.
        draw: of the look in question; where that is not among them, all came before it.
    """
    first: dict[str, Look] = {}
    for look in looks:
        if look.data == data:
            first.setdefault(look.draw, look)
    draws = list(first)
    return [first[each] for each in draws[: draws.index(draw) if draw in draws else None]]
