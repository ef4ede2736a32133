"""Records as JSON's types and back, for tests that look at results as files show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.results.json_codec import Fields
from evaluators.results.records import MemberResult
from evaluators.results.records_codec import cohort_to_json, member_from_json
from evaluators.tasks import task
from evaluators.tasks.base import Task
from search.confirmation import confirmation_to_json
from search.records.cohort import CohortRecord
from search.records.cohort_codec import record_from_json
from search.records.trace_codec import entry_from_json
from search.records.trace_entry import TraceEntry
from search.run import Run
from search.storage.files import Cell


def ran(request: CohortRequest, find: Callable[[str], Task] = task) -> dict[str, Any]:
    """The result of a cohort."""
    return cohort_to_json(run_cohort(request, find))


def member(row: dict[str, Any]) -> MemberResult:
    """A member's row."""
    return member_from_json(Fields({"failed_on": ""} | row, "test"))


def record(values: dict[str, Any]) -> CohortRecord:
    """A cohort's file."""
    return record_from_json(Fields(values, "test"))


def entry(**values: Any) -> TraceEntry:
    """A line of the trace."""
    rest = {"cohort": 0, "trained": 0, "proposed": 0, "counts": {}, "front": 0, "controls_sha256": ""}
    return entry_from_json(Fields(rest | {"journal_bytes": 0, "journal_sha256": ""} | values, "test"))


def number(cell: Cell) -> float:
    """A cell of a table that holds a number."""
    assert isinstance(cell, (int, float))
    return cell


def confirmation(run: Run) -> dict[str, Any] | None:
    """What a run's confirmation found."""
    found = run.confirmation()
    return None if found is None else confirmation_to_json(found)
