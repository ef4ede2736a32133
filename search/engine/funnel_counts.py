"""Funnel counts: sums over the lines of a run's trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from evaluators.results.reasons import Reason
from search.records.cohort import Passed
from search.records.trace_entry import TraceEntry


@dataclass(slots=True)
class FunnelCounts:
    """Where the candidates of a run went.

    Args:
        proposed: all that the strategy gave, repetitions too.
        known: of a class that the run had.
        trained: what a cohort took.
        screened: stopped by a screen, by reason.
        rejected: not trained to the end, by reason.
        null_gains: of the null controls over the reference, which the first cohort has; NaN where one is not finite.
    """

    proposed: int = 0
    known: int = 0
    trained: int = 0
    screened: Counter[Reason] = field(default_factory=Counter)
    rejected: Counter[Reason] = field(default_factory=Counter)
    null_gains: tuple[float, ...] = ()

    @classmethod
    def of(cls, trace: Iterable[TraceEntry]) -> FunnelCounts:
        """The counts of whole lines."""
        made = cls()
        for entry in trace:
            made.add(entry)
        return made

    def add(self, entry: TraceEntry) -> None:
        """Count a cohort."""
        self.proposed += entry.proposed
        self.known += entry.counts.get(Passed.KNOWN, 0)
        self.trained += entry.counts.get(Passed.ACCEPTED, 0)
        self.screened.update({why: count for why, count in entry.counts.items() if isinstance(why, Reason)})
        self.rejected.update(entry.rejected)
        self.null_gains = self.null_gains or entry.null_gains

    @property
    def unpromising(self) -> int:
        """How many a threshold rejected."""
        return self.rejected[Reason.UNPROMISING]

    @property
    def failed(self) -> int:
        """How many were rejected for another reason: not finite, nothing learnt, far behind, a dead worker."""
        return self.rejected.total() - self.unpromising
