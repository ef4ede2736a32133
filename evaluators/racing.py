"""Racing: the better candidates of a cohort are trained on more seeds, lap by lap.

What a candidate is trained on depends on its own losses and the limits alone, never on its company: a cohort may be
split when a worker dies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.objectives import mean_gain
from evaluators.results.records import MemberResult


@dataclass(frozen=True, slots=True)
class Lap:
    """More seeds for the candidates that are good enough.

    Args:
        limit: the gain over the reference, mean over the tasks and the seeds so far, from which on a candidate takes
            part; minus infinity: all that have not failed.
        seeds: how many more.
    """

    limit: float
    seeds: int


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of a cohort's training: all its members on the first seeds, or some of them on the seeds of a lap.

    Args:
        before: number of seeds before these.
        seeds: number of seeds.
        limit: of the lap, see :class:`Lap`; None for the first seeds.
    """

    before: int
    seeds: int
    limit: float | None = None

    def runs(self, row: MemberResult, reference: MemberResult, tasks: Sequence[str]) -> bool:
        """True if a candidate takes part; from the losses before the leg, so also while it is under way."""
        if row.reason or self.limit is None:
            return not row.reason
        if row.seeds < self.before:
            return False
        return mean_gain(row.first(self.before), reference.first(self.before), tasks) >= self.limit

    def rates(self, row: MemberResult, task: str) -> tuple[int, ...]:
        """Indices of the learning rates that a member has left; empty: all."""
        if self.limit is None:
            return ()
        return tuple(np.flatnonzero(np.isfinite(row.final(task)[: self.before]).all(axis=0)).tolist())


def legs(seeds: int, race: Sequence[Lap]) -> Iterator[Leg]:
    """The first seeds and each lap's."""
    yield Leg(0, seeds)
    for lap in race:
        yield Leg(seeds, lap.seeds, lap.limit)
        seeds += lap.seeds
