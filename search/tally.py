"""What a run has come to: sums over the lines of its trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from evaluators.rejection import UNPROMISING

Row = dict[str, Any]


@dataclass(slots=True)
class Tally:
    """Where the candidates of a run went.

    Args:
        proposed: all that the strategy gave, repetitions too.
        known: of a class that the run had.
        trained: what a cohort took.
        screened: stopped by a screen, by reason.
        rejected: not trained to the end, by reason.
        null_gains: of the null controls over ReLU, which the first cohort has.
    """

    proposed: int = 0
    known: int = 0
    trained: int = 0
    screened: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    null_gains: list[float | None] = field(default_factory=list)

    @classmethod
    def of(cls, trace: Iterable[Row]) -> Tally:
        """The tally of whole lines."""
        made = cls()
        for entry in trace:
            made.add(entry)
        return made

    def add(self, entry: Row) -> None:
        """Count a cohort."""
        counts: Counter[str] = Counter(entry["counts"])
        self.proposed += entry["proposed"]
        self.known += counts.pop("known", 0)
        self.trained += counts.pop("accepted", 0)
        self.screened.update(counts)
        self.rejected.update(entry["rejected"])
        self.null_gains = self.null_gains or entry["null_gains"]

    @property
    def unpromising(self) -> int:
        """How many a threshold rejected."""
        return self.rejected[UNPROMISING]

    @property
    def failed(self) -> int:
        """How many were rejected for another reason: not finite, nothing learnt, far below ReLU, a dead worker."""
        return self.rejected.total() - self.unpromising
