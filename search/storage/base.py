"""The contract of a store: where the cohorts of a run are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from search.records.cohort import CohortRecord
from search.records.trace_entry import TraceEntry
from search.records.trial import TrialRecord


class Store(ABC):
    """The cohorts of a run. One process writes.

    A cohort is kept as soon as it is trained, in whatever order cohorts finish, and appended when it is its turn. What
    derives from the trials (known classes, the Pareto front, the calibration set) is no matter of a store: see
    :class:`search.engine.study.Study`.

    Attributes:
        trials: the trained classes of the appended cohorts, in order; it grows with them.
        trace: what each of these cohorts came to; it grows with them.
    """

    trials: Sequence[TrialRecord]
    trace: Sequence[TraceEntry]

    @abstractmethod
    def keep(self, record: CohortRecord) -> None:
        """Keep a trained cohort; from here on it cannot be lost.

        Raises:
            FileError: it cannot be written.
        """

    @abstractmethod
    def cohort(self, number: int) -> CohortRecord | None:
        """A cohort as it was trained, appended or not yet; None if it was not, or was lost since."""

    @abstractmethod
    def append(self, record: CohortRecord, trials: Sequence[TrialRecord], entry: TraceEntry) -> TraceEntry:
        """Append the next cohort: all of it, or, where the process dies, nothing.

        Args:
            record: as it was kept.
            trials: its classes, in order.
            entry: what it came to.

        Returns:
            The entry as it stands in the trace, with what the store has to say of itself.

        Raises:
            FileError: it cannot be written.
        """
