"""A store in memory: for jobs that leave nothing behind, and for looking at a run whose job may be at work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from search.records.cohort import CohortRecord
from search.records.trace_entry import TraceEntry
from search.records.trial import TrialRecord
from search.storage.base import Store


def _nothing(_: int) -> None:
    return None


class MemoryStore(Store):
    """Lists and a dict.

    Args:
        trials: to begin with.
        trace: to begin with.
        earlier: gives the cohorts that these trials came from; they are too large to be copied.
    """

    def __init__(
        self, trials: Iterable[TrialRecord] = (), trace: Iterable[TraceEntry] = (),
        earlier: Callable[[int], CohortRecord | None] = _nothing,
    ) -> None:  # fmt: skip
        self._trials, self._trace = list(trials), list(trace)
        self.trials, self.trace = self._trials, self._trace
        self._cohorts: dict[int, CohortRecord] = {}
        self._earlier = earlier

    def keep(self, record: CohortRecord) -> None:
        self._cohorts[record.plan.number] = record

    def cohort(self, number: int) -> CohortRecord | None:
        return self._cohorts.get(number) or self._earlier(number)

    def append(self, record: CohortRecord, trials: Sequence[TrialRecord], entry: TraceEntry) -> TraceEntry:
        self._trials += trials
        self._trace.append(entry)
        return entry
