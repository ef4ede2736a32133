"""The files of a run's known functions: cohort files in a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator

from search.records.cohort import CohortRecord
from search.storage.cohort_files import read_cohort, whole_cohort, write_cohort
from search.storage.files import writing
from search.storage.run_folder import RunFolder


def known_cohort(folder: RunFolder, number: int) -> CohortRecord | None:
    """A finished cohort of known functions; None if it is missing, torn or changed."""
    return whole_cohort(folder.known(number), folder.run)


def known_cohorts(folder: RunFolder) -> Iterator[CohortRecord]:
    """All that are finished, in order.

    Raises:
        DamageError: a file is torn or changed.
    """
    for path in sorted(folder.baseline.glob("??????.json")):
        if (record := read_cohort(path, folder.run)) is not None:
            yield record


def keep_known(folder: RunFolder, record: CohortRecord) -> None:
    """Write a finished cohort of known functions; from here on it cannot be lost.

    Raises:
        FileError: it cannot be written.
    """
    with writing(folder.baseline):
        folder.baseline.mkdir(exist_ok=True)
    write_cohort(folder.known(record.plan.number), record, folder.run)
