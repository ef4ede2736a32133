"""The store in a run folder: a file for each trained cohort, a journal of their trials, a line of the trace for each.

They are written in this order. What the trace does not name was not appended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from primitives.quoting import command
from search.engine.scoring import Scoring
from search.errors import RunError
from search.records.cohort import CohortRecord
from search.records.trace_entry import TraceEntry
from search.records.trial import TrialRecord
from search.storage.base import Store
from search.storage.cohort_files import read_cohort, write_cohort
from search.storage.journal import JournalCopy
from search.storage.memory import MemoryStore
from search.storage.recovery import Say, recover
from search.storage.run_folder import RunFolder
from search.storage.trace import append_trace, read_trace
from search.storage.trial_journal import Direction, TrialJournal, directions_in, read_trials


class JournalStore(Store):
    """Cohort files, ``study.journal`` and ``cohorts.jsonl``, which end with the same cohort.

    Args:
        folder: of the run.
        scoring: the job's objectives.
    """

    def __init__(self, folder: RunFolder, scoring: Scoring) -> None:
        self._folder, self._trials = folder, TrialJournal(folder.journal, scoring)
        self._trace = read_trace(folder.trace)
        self.trials, self.trace = self._trials.trials, self._trace

    def keep(self, record: CohortRecord) -> None:
        write_cohort(self._folder.cohort(record.plan.number), record)

    def cohort(self, number: int) -> CohortRecord | None:
        return read_cohort(self._folder.cohort(number))

    def append(self, record: CohortRecord, trials: Sequence[TrialRecord], entry: TraceEntry) -> TraceEntry:
        self._trials.add(trials, record.started, record.finished)
        journal = self._trials.journal
        entry = replace(entry, journal_bytes=journal.length, journal_sha256=journal.digest)
        append_trace(self._folder.trace, entry)
        self._trace.append(entry)
        return entry


def open_store(folder: RunFolder, say: Say, scoring: Scoring) -> Store:
    """The store of a run to work on; the caller holds the lock. What a killed process left is put in order first.

    Raises:
        RunError: the journal is damaged and a cohort file that could rebuild it is missing or was changed.
        FileError: the folder cannot be written to.
    """
    recover(folder, say, scoring)
    return JournalStore(folder, scoring)


def read_store(folder: RunFolder, scoring: Scoring) -> Store:
    """The store of a run to look at: a copy in memory, so that a running job is not disturbed.

    Raises:
        RunError: the journal is missing or damaged.
    """
    trace = read_trace(folder.trace)
    copy = JournalCopy(folder.journal, trace[-1].journal_bytes if trace else 0)
    if trace and copy.digest != trace[-1].journal_sha256:
        raise RunError(
            f"{folder.journal} is missing or damaged; {command('resume', folder.path)} rebuilds it from the "
            "cohort files"
        )
    trials = read_trials(copy, scoring, folder.journal)
    return MemoryStore(trials, trace, lambda number: read_cohort(folder.cohort(number)))


def recorded_objectives(folder: RunFolder) -> Mapping[str, Direction]:
    """The objectives of a run with their directions, as its journal has them; none without a whole journal."""
    trace = read_trace(folder.trace)
    copy = JournalCopy(folder.journal, trace[-1].journal_bytes if trace else 0)
    return directions_in(copy) if trace and copy.digest == trace[-1].journal_sha256 else {}


def stored_trace(folder: RunFolder) -> list[TraceEntry]:
    """The trace alone: it is there at once, whatever the number of trials."""
    return read_trace(folder.trace)
