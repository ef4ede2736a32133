"""The files of trained cohorts: each written at once, with a hash of its own."""

from __future__ import annotations

from pathlib import Path

from evaluators.results.json_codec import Fields
from search.records.cohort import CohortRecord
from search.records.cohort_codec import record_from_json, record_to_json
from search.storage.files import read_sealed, write_sealed


def read_cohort(path: Path) -> CohortRecord | None:
    """A cohort's file; None if it is missing, torn or changed.

    Raises:
        RecordError: it is whole and has another shape.
    """
    content = read_sealed(path)
    return None if content is None else record_from_json(Fields(content, str(path)))


def write_cohort(path: Path, record: CohortRecord) -> None:
    """Write a cohort's file; from here on it cannot be lost."""
    write_sealed(path, record_to_json(record))
