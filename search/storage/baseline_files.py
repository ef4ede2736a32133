"""The files of a run's known functions: cohort files in a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from search.records.cohort import CohortRecord
from search.storage.cohort_files import read_cohort, write_cohort
from search.storage.files import writing
from search.storage.run_folder import RunFolder


def known_cohort(folder: RunFolder, number: int) -> CohortRecord | None:
    """A finished cohort of known functions; None if it is missing, torn or changed."""
    return read_cohort(folder.known(number))


def known_cohorts(folder: RunFolder) -> Iterator[tuple[Path, CohortRecord | None]]:
    """All files in order, with None where one is torn or changed."""
    return ((path, read_cohort(path)) for path in sorted(folder.baseline.glob("??????.json")))


def keep_known(folder: RunFolder, record: CohortRecord) -> None:
    """Write a finished cohort of known functions; from here on it cannot be lost.

    Raises:
        FileError: it cannot be written.
    """
    with writing(folder.baseline):
        folder.baseline.mkdir(exist_ok=True)
    write_cohort(folder.known(record.plan.number), record)
