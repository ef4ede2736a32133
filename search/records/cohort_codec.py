"""A cohort as JSON and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from evaluators.racing import Lap
from evaluators.results.json_codec import Fields, JsonObject, decoded, finite
from evaluators.results.reasons import SCREENS, Reason
from evaluators.results.records_codec import cohort_from_json, cohort_to_json
from search.records.cohort import CohortRecord, Counts, Exemption, Passed, Plan, Planned, Untrained, WhyExempt, rungs_of

_FATES: dict[str, Passed | Reason] = {**{each.value: each for each in Passed}, **SCREENS}
EXEMPT: dict[str, WhyExempt] = {**{each.value: each for each in Exemption}, **SCREENS}


def record_to_json(record: CohortRecord) -> JsonObject:
    """JSON's types."""
    plan = record.plan
    return {
        "cohort": plan.number,
        "tasks": list(record.tasks),
        "started": time_to_json(record.started),
        "finished": time_to_json(record.finished),
        "counts": counts_to_json(plan.counts),
        "thresholds": list(plan.thresholds.values()),
        **({"race": [[finite(lap.limit), lap.seeds] for lap in plan.race]} if plan.race else {}),
        **({"mixed": plan.mixed} if plan.mixed else {}),
        "proposed_in": finite(plan.seconds),
        "proposals": [_planned_to_json(planned) for planned in plan.proposals],
        **({"untrained": list(map(_untrained_to_json, plan.untrained))} if plan.untrained else {}),
        "result": cohort_to_json(record.result),
    }


def record_from_json(fields: Fields) -> CohortRecord:
    """The record in a file.

    Raises:
        RecordError: it has another shape, or an unknown code.
    """
    tasks, result = fields.texts("tasks"), cohort_from_json(fields.section("result"))
    limits = fields.numbers("thresholds") if "thresholds" in fields else ()
    return CohortRecord(
        plan=Plan(
            number=fields.integer("cohort"),
            proposals=tuple(map(_planned_from_json, fields.sections("proposals"))),
            counts=counts_from_json(fields),
            thresholds=dict(zip(rungs_of(tasks, result), limits, strict=False)),
            race=_race_from_json(fields) if "race" in fields else (),
            mixed=fields.number("mixed") if "mixed" in fields else 0.0,
            seconds=fields.number("proposed_in") if "proposed_in" in fields else math.nan,
            untrained=tuple(map(_untrained_from_json, fields.sections("untrained"))) if "untrained" in fields else (),
        ),
        tasks=tasks,
        started=time_from_json(fields, "started"),
        finished=time_from_json(fields, "finished"),
        result=result,
    )


def _race_from_json(fields: Fields) -> tuple[Lap, ...]:
    """The laps; null stands for no limit."""
    table = fields.table("race")
    if table.shape[1] != 2 or not (table[:, 1] >= 1).all():
        raise fields.refusal("race", "pairs of a gain, or null, and a number of seeds")
    return tuple(Lap(-math.inf if math.isnan(limit) else limit, int(seeds)) for limit, seeds in table.tolist())


def time_to_json(time: datetime) -> str:
    """ISO 8601 to the microsecond."""
    return time.isoformat(timespec="microseconds")


def time_from_json(fields: Fields, key: str) -> datetime:
    """A time."""
    try:
        return datetime.fromisoformat(fields.text(key))
    except ValueError:
        raise fields.refusal(key, "a time as in ISO 8601") from None


def counts_to_json(counts: Counts) -> JsonObject:
    """Counts by code."""
    return {fate.code if isinstance(fate, Reason) else fate.value: count for fate, count in counts.items()}


def counts_from_json(fields: Fields) -> Counts:
    """The key ``counts``."""
    return fields.counts("counts", _FATES)


def exempt_code(exempt: WhyExempt) -> str:
    """As in files."""
    return exempt.code if isinstance(exempt, Reason) else exempt.value


def _planned_to_json(planned: Planned) -> JsonObject:
    made: JsonObject = {"expression": planned.expression, "class": planned.key, "parents": list(planned.parents)}
    made |= attributes_to_json(planned.attributes)
    if planned.exempt is None:
        return made
    exempt: JsonObject = {"spared": exempt_code(planned.exempt)}
    return exempt | made if planned.exemption else made | exempt


def _planned_from_json(fields: Fields) -> Planned:
    exempt = decoded(fields.text("spared"), EXEMPT, fields.place) if "spared" in fields else None
    return Planned(
        expression=fields.text("expression"),
        key=fields.text("class"),
        parents=fields.texts("parents"),
        attributes=attributes_from_json(fields),
        exemption=exempt if isinstance(exempt, Exemption) else None,
        passed_on=exempt if isinstance(exempt, Reason) else None,
    )


def _untrained_to_json(proposal: Untrained) -> JsonObject:
    made: JsonObject = {"expression": proposal.expression}
    if proposal.key:
        made["class"] = proposal.key
    return made | attributes_to_json(proposal.attributes)


def attributes_to_json(attributes: Mapping[str, object]) -> JsonObject:
    """A strategy's own data under their key; nothing where there are none."""
    return {"attributes": dict(attributes)} if attributes else {}


def attributes_from_json(fields: Fields) -> Mapping[str, object]:
    """What :func:`attributes_to_json` put among the fields."""
    return fields.section("attributes").values if "attributes" in fields else {}


def _untrained_from_json(fields: Fields) -> Untrained:
    key = fields.text("class") if "class" in fields else ""
    return Untrained(fields.expression("expression"), key, attributes_from_json(fields))
