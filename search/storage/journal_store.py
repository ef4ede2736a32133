"""The store in a run folder: a file for each trained cohort, a journal of their trials, a line of the trace for each.

They are written in this order. What the trace does not name was not appended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from primitives.quoting import command
from search.engine.scoring import Scoring
from search.errors import DamageError
from search.records.cohort import CohortRecord
from search.records.trace_entry import TraceEntry
from search.records.trial import TrialRecord
from search.storage.base import Store
from search.storage.cohort_files import whole_cohort, write_cohort
from search.storage.journal import JournalCopy, lines_behind
from search.storage.memory import MemoryStore
from search.storage.recovery import Say, recover
from search.storage.run_folder import RunFolder
from search.storage.trace import append_trace, read_trace
from search.storage.trial_journal import HEADER, Direction, TrialJournal, directions_in, read_trials

KNOWN = "known."  #: how ids of known functions begin


@dataclass(frozen=True, slots=True)
class Ahead:
    """How far the files of a job at work may be ahead of its trace.

    Args:
        cohorts: that are trained at once.
        trials: of the largest cohort.
    """

    cohorts: int
    trials: int


class JournalStore(Store):
    """Cohort files, ``study.journal`` and ``cohorts.jsonl``, which end with the same cohort.

    Args:
        folder: of the run.
        scoring: the job's objectives.
    """

    def __init__(self, folder: RunFolder, scoring: Scoring) -> None:
        self._folder, self._trials = folder, TrialJournal(folder.journal, scoring)
        self._trace = read_trace(folder.trace, folder.run)
        self.trials, self.trace = self._trials.trials, self._trace

    def keep(self, record: CohortRecord) -> None:
        write_cohort(self._folder.cohort(record.plan.number), record, self._folder.run)

    def cohort(self, number: int) -> CohortRecord | None:
        return whole_cohort(self._folder.cohort(number), self._folder.run)

    def append(self, record: CohortRecord, trials: Sequence[TrialRecord], entry: TraceEntry) -> TraceEntry:
        self._trials.add(trials, record.started, record.finished)
        journal = self._trials.journal
        entry = replace(entry, journal_bytes=journal.length, journal_sha256=journal.digest)
        append_trace(self._folder.trace, entry, self._folder.run)
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


def read_store(folder: RunFolder, scoring: Scoring, ahead: Ahead) -> Store:
    """The store of a run to look at: a copy in memory, so that a running job is not disturbed.

    Raises:
        DamageError: the journal is missing or damaged, or see :func:`stored_trace`.
    """
    trace = stored_trace(folder, ahead)
    if (copy := _journal_of(trace, folder)) is None:
        raise DamageError(
            f"{folder.journal} is missing or damaged; {command('resume', folder.path)} rebuilds it from the "
            "cohort files"
        )
    trials = list(read_trials(copy, scoring, folder.journal))
    _check_order(trials, trace, folder)
    return MemoryStore(trials, trace, lambda number: whole_cohort(folder.cohort(number), folder.run))


def recorded_objectives(folder: RunFolder) -> Mapping[str, Direction]:
    """The objectives of a run with their directions, as its journal has them; none without a whole journal."""
    copy = _journal_of(read_trace(folder.trace, folder.run), folder)
    return directions_in(copy) if copy else {}


def _journal_of(trace: Sequence[TraceEntry], folder: RunFolder) -> JournalCopy | None:
    """The part of the journal that a trace names, empty for an empty one; None where it is not as the trace has it."""
    if not trace:
        return JournalCopy(folder.journal, 0)
    copy = JournalCopy(folder.journal, trace[-1].journal_bytes)
    return copy if copy.digest == trace[-1].journal_sha256 else None


def stored_trace(folder: RunFolder, ahead: Ahead) -> list[TraceEntry]:
    """The trace alone: it is there at once, whatever the number of trials.

    Args:
        folder: of the run.
        ahead: how far other files may be ahead of the trace, as after a kill.

    Raises:
        DamageError: a line is damaged, or lines are missing at the end.
    """
    trace = read_trace(folder.trace, folder.run)
    while _is_cut(folder, trace, ahead):
        again = read_trace(folder.trace, folder.run)
        if len(again) == len(trace):
            raise DamageError(
                f"{folder.trace}: lines behind the first {len(trace)} are missing; {command('resume', folder.path)} "
                "writes them again from the cohort files"
            )
        trace = again  # a job at work has gone on
    return trace


def _is_cut(folder: RunFolder, trace: Sequence[TraceEntry], ahead: Ahead) -> bool:
    """True if other files have more than a job at work, or a kill, can leave behind the trace."""
    length, header = (trace[-1].journal_bytes, 0) if trace else (0, HEADER)
    return (
        folder.cohort(len(trace) + ahead.cohorts).exists()
        or lines_behind(folder.journal, length) > header + ahead.trials
    )


def _check_order(trials: Sequence[TrialRecord], trace: Sequence[TraceEntry], folder: RunFolder) -> None:
    """Refuse a journal that is not what its trace counts, or whose ids cannot be a run's."""
    places = [(trial.cohort, trial.slot) for trial in trials]
    if len(trials) != (trace[-1].trained if trace else 0) or any(a >= b for a, b in pairwise(places)):
        raise DamageError(f"{folder.journal} has other trials than {folder.trace.name} says, or one of them twice")
    known = {trial.id for trial in trials}
    for trial in trials:
        if lost := [name for name in trial.parents if name not in known and not name.startswith(KNOWN)]:
            raise DamageError(f"{folder.journal}: {trial.id} has the parent {lost[0]}, which is not in the run")
