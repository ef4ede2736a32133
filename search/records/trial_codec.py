"""A trial's attributes: a record as JSON and back."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from evaluators.objectives import OBJECTIVES
from evaluators.results.json_codec import Fields, JsonObject, all_finite
from evaluators.results.reasons import TRAINED, AnyReason, code_of, of_objectives
from search.records.cohort_codec import EXEMPT, exempt_code
from search.records.trial import TrialRecord

_ID = re.compile(r"\d{1,9}\.\d{1,9}")


def trial_to_json(trial: TrialRecord) -> JsonObject:
    """JSON's types."""
    made: JsonObject = {
        "id": trial.id,
        "expression": trial.expression,
        "class": trial.key,
        "parents": list(trial.parents),
        "reason": code_of(trial.reason),
        "failed_on": trial.failed_on,
        "overflows_in": list(trial.overflows_in),
        "gain_over": dict(trial.gain_over),
        "gains": {task: list(gains) for task, gains in trial.gains.items()},
    }
    if trial.exempt is not None:
        made |= {"spared": exempt_code(trial.exempt), "promises": all_finite(trial.relative_losses)}
    return made


def trial_from_json(fields: Fields, objectives: Sequence[str]) -> TrialRecord:
    """The record in a trial's attributes.

    Args:
        fields: the attributes.
        objectives: of the job: one without a finite value is a reason.

    Raises:
        RecordError: they have another shape, or an unknown code.
    """
    gains = fields.section("gains")
    reasons: dict[str, AnyReason] = {**of_objectives(objectives, OBJECTIVES), **TRAINED}
    exempt = "spared" in fields
    if not _ID.fullmatch(name := fields.text("id")):
        raise fields.refusal("id", "cohort and slot, as in 12.7")
    return TrialRecord(
        id=name,
        expression=fields.text("expression"),
        key=fields.text("class"),
        parents=fields.texts("parents"),
        reason=fields.reason("reason", reasons),
        failed_on=fields.text("failed_on"),
        overflows_in=fields.texts("overflows_in") if "overflows_in" in fields else (),
        gain_over=fields.numbers_by_name("gain_over"),
        gains={task: gains.numbers(task) for task in gains},
        exempt=fields.coded("spared", EXEMPT) if exempt else None,
        relative_losses=fields.numbers("promises", math.inf) if exempt else (),
    )
