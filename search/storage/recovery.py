"""Recovery: brings the files of a killed run back to the end of its last recorded cohort.

A cohort's own file is written first, then the journal, then one line of the trace with the journal's length and
hash. What is behind the last whole line of the trace is cut and told again from the cohort files, byte for byte.
Damaged files are kept beside what takes their place.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from search.engine.cohort_trials import trials_of
from search.engine.scoring import Scoring
from search.errors import DamageError
from search.records.trace_entry import TraceEntry
from search.storage.cohort_files import whole_cohort
from search.storage.files import read_sealed, writing
from search.storage.journal import digest_of
from search.storage.run_folder import RunFolder
from search.storage.trace import cut_trace, read_trace
from search.storage.trial_journal import TrialJournal

Say = Callable[[str], None]


def recover(folder: RunFolder, say: Say, scoring: Scoring) -> None:
    """Repair the files: trace and journal end with the same cohort.

    Raises:
        DamageError: the journal is damaged and a cohort file that could rebuild it is missing or was changed.
        FileError: the folder cannot be written to.
    """
    with writing(folder.journal):
        folder.journal.with_name(folder.journal.name + ".lock").unlink(missing_ok=True)
    if line := cut_trace(folder.trace, folder.run):
        say(f"{folder.trace.name}: torn or changed in line {line}; cut there and written again")
    trace = read_trace(folder.trace, folder.run)
    _check_cohorts(folder, len(trace), say)
    if not _whole(folder.journal, trace):
        _rebuild(folder, trace, say, scoring)
    with writing(folder.journal):
        if not trace:
            folder.journal.unlink(missing_ok=True)
        elif folder.journal.stat().st_size > trace[-1].journal_bytes:
            with folder.journal.open("r+b") as file:
                file.truncate(trace[-1].journal_bytes)


def _whole(journal: Path, trace: list[TraceEntry]) -> bool:
    """True if the journal has what the trace says of it."""
    if not trace:
        return True
    length, digest = trace[-1].journal_bytes, trace[-1].journal_sha256
    return journal.is_file() and digest_of(journal, length) == digest


def _check_cohorts(folder: RunFolder, recorded: int, say: Say) -> None:
    """Say which cohort files are damaged; those that were not recorded yet make room for a repetition."""
    names = {folder.cohort(number) for number in range(recorded)}
    for path in sorted(names | set(folder.cohorts.glob("??????.json"))):
        with suppress(DamageError):
            if read_sealed(path, folder.run) is not None:
                continue
        if path in names:
            say(f"{path}: missing, torn or changed; the study has its results, but its learning curves are lost")
        else:
            kept = _set_aside(path)
            say(f"{path}: torn or changed; it is trained again, the old one is {kept.name}")


def _rebuild(folder: RunFolder, trace: list[TraceEntry], say: Say, scoring: Scoring) -> None:
    """Write the journal again from the cohort files."""
    fresh = folder.journal.with_name("study.journal.new")
    with writing(fresh):
        fresh.unlink(missing_ok=True)
    made = TrialJournal(fresh, scoring)
    for entry in trace:
        path = folder.cohort(entry.cohort)
        record = whole_cohort(path, folder.run)
        if record is None:
            line = _first_difference(folder, fresh)
            raise DamageError(
                f"{folder.journal} is damaged in line {line} or behind it, and {path}, needed to rebuild it, "
                "is missing, torn or changed"
            )
        made.add(trials_of(record, scoring), record.started, record.finished)
        if made.journal.digest != entry.journal_sha256:
            raise DamageError(f"{folder.journal} is damaged and {path} is not what was recorded in {folder.trace.name}")
    if folder.journal.exists():
        line, kept = _first_difference(folder, fresh), _set_aside(folder.journal)
        say(f"{folder.journal.name}: line {line} was damaged; rebuilt, the old one is {kept.name}")
    else:
        say(f"{folder.journal.name}: was missing; rebuilt from the cohort files")
    with writing(folder.journal):
        fresh.replace(folder.journal)


def _first_difference(folder: RunFolder, fresh: Path) -> int:
    """Number of the first line of the journal that differs from the rebuilt one."""
    old = folder.journal.read_bytes().splitlines() if folder.journal.exists() else []
    new = fresh.read_bytes().splitlines()
    return next((n for n, (a, b) in enumerate(zip(old, new, strict=False), 1) if a != b), min(len(old), len(new)) + 1)


def _set_aside(path: Path) -> Path:
    """Rename a damaged file; nothing is overwritten."""
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    with writing(path):
        return path.replace(kept)
