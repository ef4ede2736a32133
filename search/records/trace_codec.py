"""A line of ``cohorts.jsonl``: an entry as JSON and back."""

from __future__ import annotations

import math

from evaluators.results.json_codec import Fields, JsonObject, all_finite, finite
from evaluators.results.reasons import TRAINED
from search.records.cohort_codec import (
    attributes_from_json,
    attributes_to_json,
    counts_from_json,
    counts_to_json,
    time_from_json,
    time_to_json,
)
from search.records.trace_entry import Best, Findings, Outcome, TraceEntry


def entry_to_json(entry: TraceEntry) -> JsonObject:
    """JSON's types."""
    return {
        "cohort": entry.cohort,
        "trained": entry.trained,
        "proposed": entry.proposed,
        "counts": counts_to_json(entry.counts),
        **({} if entry.findings is None else {"rejection": _findings_to_json(entry.findings)}),
        "rejected": {reason.code: count for reason, count in entry.rejected.items()},
        "front": entry.front,
        "best": best_to_json(entry.best),
        "null_gains": all_finite(entry.null_gains),
        "controls_sha256": entry.controls_sha256,
        "controls_repeat": entry.controls_repeat,
        **({} if entry.finished is None else {"finished": time_to_json(entry.finished)}),
        "proposed_in": finite(entry.proposed_in),
        "seconds": dict(entry.seconds),
        **({"mixed": entry.mixed} if entry.mixed else {}),
        **({"by_torch": dict(entry.by_torch)} if entry.by_torch else {}),
        **({"untrained": [_outcome_to_json(each) for each in entry.untrained]} if entry.untrained else {}),
        "journal_bytes": entry.journal_bytes,
        "journal_sha256": entry.journal_sha256,
    }


def entry_from_json(fields: Fields) -> TraceEntry:
    """The entry in a line.

    Raises:
        RecordError: it has another shape, or an unknown code.
    """
    return TraceEntry(
        cohort=fields.integer("cohort"),
        trained=fields.integer("trained"),
        proposed=fields.integer("proposed"),
        counts=counts_from_json(fields),
        findings=_findings_from_json(fields.section("rejection")) if "rejection" in fields else None,
        rejected=fields.counts("rejected", TRAINED) if "rejected" in fields else {},
        front=fields.integer("front"),
        best=_best_from_json(fields.section("best")) if "best" in fields else None,
        null_gains=fields.numbers("null_gains") if "null_gains" in fields else (),
        controls_sha256=fields.text("controls_sha256"),
        controls_repeat=fields.flag("controls_repeat") if "controls_repeat" in fields else True,
        finished=time_from_json(fields, "finished") if "finished" in fields else None,
        proposed_in=fields.number("proposed_in") if "proposed_in" in fields else math.nan,
        seconds=fields.numbers_by_name("seconds") if "seconds" in fields else {},
        mixed=fields.number("mixed") if "mixed" in fields else 0.0,
        by_torch=fields.integers_by_name("by_torch") if "by_torch" in fields else {},
        untrained=tuple(map(_outcome_from_json, fields.sections("untrained"))) if "untrained" in fields else (),
        journal_bytes=fields.integer("journal_bytes"),
        journal_sha256=fields.text("journal_sha256"),
    )


def best_to_json(best: Best | None) -> JsonObject | None:
    """JSON's types."""
    return None if best is None else {"expression": best.expression, "gain": best.gain}


def _best_from_json(fields: Fields) -> Best:
    return Best(fields.text("expression"), fields.number("gain"))


def _outcome_to_json(outcome: Outcome) -> JsonObject:
    return {"expression": outcome.expression, "gain": outcome.gain, **attributes_to_json(outcome.attributes)}


def _outcome_from_json(fields: Fields) -> Outcome:
    return Outcome(fields.expression("expression"), fields.number_or_none("gain"), attributes_from_json(fields))


def _findings_to_json(findings: Findings) -> JsonObject:
    return {
        "thresholds": list(findings.thresholds),
        "compute": findings.compute,
        "audited": findings.audited,
        "missed": list(findings.missed),
        "passed_on": list(findings.passed_on),
        "bar": findings.bar,
        **({} if findings.seeds is None else {"seeds": findings.seeds}),
    }


def _findings_from_json(fields: Fields) -> Findings:
    return Findings(
        thresholds=fields.numbers("thresholds"),
        compute=fields.number("compute"),
        audited=fields.integer("audited"),
        missed=fields.numbers_or_none("missed"),
        passed_on=fields.numbers_or_none("passed_on"),
        bar=fields.number_or_none("bar"),
        seeds=fields.number_or_none("seeds"),
    )
