"""A cohort's results as JSON, in files and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from evaluators.comparison import Comparison
from evaluators.results.json_codec import Fields, JsonObject, all_finite, table_to_json
from evaluators.results.reasons import TRAINED, code_of
from evaluators.results.records import CohortResult, MemberResult
from evaluators.tasks.fresh_data import FreshData
from evaluators.training.member import Array


def cohort_to_json(result: CohortResult) -> JsonObject:
    """JSON's types."""
    return {
        "candidates": [member_to_json(row) for row in result.candidates],
        "controls": {name: member_to_json(row) for name, row in result.controls.items()},
        "nulls": [member_to_json(row) for row in result.nulls],
        "seconds": dict(result.seconds),
        **({"tested": tested_to_json(result.tested)} if result.tested else {}),
        **({"by_torch": dict(result.by_torch)} if result.by_torch else {}),
    }


def cohort_from_json(fields: Fields) -> CohortResult:
    """The result in an object of a file.

    Raises:
        RecordError: it has another shape, or an unknown reason.
    """
    controls = fields.section("controls")
    return CohortResult(
        candidates=tuple(map(member_from_json, fields.sections("candidates"))),
        controls={name: member_from_json(controls.section(name)) for name in controls},
        nulls=tuple(map(member_from_json, fields.sections("nulls"))),
        seconds=fields.numbers_by_name("seconds"),
        tested=tested_from_json(fields),
        by_torch=fields.integers_by_name("by_torch") if "by_torch" in fields else {},
    )


def tested_to_json(tested: Mapping[str, FreshData]) -> JsonObject:
    """What each task was tested on."""
    return {name: {"data": each.data, "ratio": each.ratio} for name, each in tested.items()}


def tested_from_json(fields: Fields) -> dict[str, FreshData]:
    """The key ``tested`` of a file; nothing where it is missing, as in the search and in older files.

    Raises:
        RecordError: it has another shape.
    """
    if "tested" not in fields:
        return {}
    tested = fields.section("tested")
    return {name: FreshData(tested.section(name).text("data"), tested.section(name).number("ratio")) for name in tested}


def controls_digest(result: CohortResult) -> str:
    """SHA-256 of the controls' results, hexadecimal: cohorts of a run must agree in them bit for bit.

    On the seeds that all have: on how many more the reference was trained depends on the candidates.
    """
    controls = {name: member_to_json(row.first(result.seeds)) for name, row in result.controls.items()}
    return hashlib.sha256(json.dumps(controls).encode()).hexdigest()


def member_to_json(row: MemberResult) -> JsonObject:
    """JSON's types; steps become strings."""
    losses = {
        task: {str(step): table_to_json(table) for step, table in by_step.items()}
        for task, by_step in row.losses.items()
    }
    made: JsonObject = {
        "losses": losses,
        "tests": {task: table_to_json(table) for task, table in row.tests.items()},
        "reason": code_of(row.reason),
        "failed_on": row.failed_on,
    }
    if row.overflows_in is not None:
        made["overflows_in"] = list(row.overflows_in)
    if row.measured:
        made["measured"] = {
            task: dict(zip(values, all_finite(values.values()), strict=True)) for task, values in row.measured.items()
        }
    if row.error or row.overflows_in is None:  # without its flags: its worker was lost
        made["error"] = row.error
    if row.comparisons:
        made["compared"] = {task: _comparison_to_json(each) for task, each in row.comparisons.items()}
    if row.readings:
        made["readings"] = {
            task: {name: table_to_json(table) for name, table in by_name.items()}
            for task, by_name in row.readings.items()
        }
    return made


def member_from_json(fields: Fields) -> MemberResult:
    """One member's row.

    Raises:
        RecordError: it has another shape, or an unknown reason.
    """
    losses, tests = fields.section("losses"), fields.section("tests")
    measured = fields.section("measured") if "measured" in fields else ()
    compared = fields.section("compared") if "compared" in fields else ()
    readings = fields.section("readings") if "readings" in fields else ()
    return MemberResult(
        losses={task: _marks(losses.section(task)) for task in losses},
        tests={task: tests.table(task) for task in tests},
        reason=fields.reason("reason", TRAINED),
        failed_on=fields.text("failed_on"),
        overflows_in=fields.texts("overflows_in") if "overflows_in" in fields else None,
        measured={task: fields.section("measured").numbers_by_name(task) for task in measured},
        error=fields.text("error") if "error" in fields else "",
        comparisons={task: _comparison_from_json(fields.section("compared").section(task)) for task in compared},
        readings={task: _tables(fields.section("readings").section(task)) for task in readings},
    )


def _comparison_to_json(comparison: Comparison) -> JsonObject:
    """Of differences; what a file does not say is compared in nats."""
    made: JsonObject = {"maximised": comparison.direction == "maximise", "unit": comparison.unit}
    return made | ({} if comparison.scale is None else {"scale": comparison.scale})


def _comparison_from_json(fields: Fields) -> Comparison:
    scale = fields.number("scale") if "scale" in fields else None
    return Comparison("maximise" if fields.flag("maximised") else "minimise", "difference", fields.text("unit"), scale)


def _tables(fields: Fields) -> dict[str, Array]:
    return {name: fields.table(name) for name in fields}


def _marks(fields: Fields) -> dict[int, Array]:
    if not all(step.isdigit() for step in fields):
        raise fields.refusal(next(step for step in fields if not step.isdigit()), "steps as keys")
    return {int(step): fields.table(step) for step in fields}
