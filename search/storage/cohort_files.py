"""The files of trained cohorts: each written at once, with a hash of its own."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from evaluators.results.json_codec import Fields
from search.errors import DamageError
from search.records.cohort import CohortRecord
from search.records.cohort_codec import record_from_json, record_to_json
from search.storage.files import read_sealed, write_sealed


def read_cohort(path: Path, run: str = "") -> CohortRecord | None:
    """A cohort's file; None if it is missing.

    Raises:
        DamageError: it is torn or changed.
        RunError: it is of another run.
        RecordError: it is whole and has another shape.
    """
    content = read_sealed(path, run)
    return None if content is None else record_from_json(Fields(content, str(path)))


def whole_cohort(path: Path, run: str) -> CohortRecord | None:
    """A cohort's file; None if it is missing, torn or changed."""
    with suppress(DamageError):
        return read_cohort(path, run)
    return None


def write_cohort(path: Path, record: CohortRecord, run: str = "") -> None:
    """Write a cohort's file; from here on it cannot be lost."""
    write_sealed(path, record_to_json(record), run)
