"""The trials of a trained cohort: objectives of each candidate, or the reason why it has none."""

from __future__ import annotations

import math
from collections.abc import Mapping

from evaluators.objectives import Against
from evaluators.results.reasons import AnyReason, Infeasible, Reason, Unmeasured
from evaluators.results.records import reference_name, rivals
from evaluators.training.member import Array
from search.engine.known import parsed
from search.engine.rejection import relative_losses
from search.engine.scoring import Scoring, gains_of
from search.records.cohort import CohortRecord
from search.records.trial import TrialRecord


def trials_of(record: CohortRecord, scoring: Scoring) -> list[TrialRecord]:
    """The classes of a cohort in order, a pure function of it."""
    controls = Against(rivals(record.result.controls), record.tasks)
    tables = [{} if row.reason else controls.gains(row) for row in record.result.candidates]
    gains = scoring.gains(record, tables if controls.even else ())
    return [_trial(record, slot, (gain, tables[slot]), scoring) for slot, gain in enumerate(gains)]


def _trial(record: CohortRecord, slot: int, gains: tuple[float, Mapping[str, Array]], scoring: Scoring) -> TrialRecord:
    planned, row = record.plan.proposals[slot], record.result.candidates[slot]
    gain, tables = gains
    gain_over, by_task = gains_of(record, tables)
    over_reference = gain_over[reference_name(gain_over)] if gain_over else None
    reason: AnyReason | None = row.reason or (None if by_task else Reason.NO_REFERENCE)
    values = {} if reason else scoring.values(parsed(planned.expression), row, gain, record)
    reason = reason or next((Unmeasured(name) for name, value in values.items() if not math.isfinite(value)), None)
    if reason is None and (broken := scoring.broken(parsed(planned.expression), row, gain, record)):
        reason = Infeasible(broken)
    return TrialRecord(
        id=f"{record.plan.number}.{slot}",
        expression=planned.expression,
        key=planned.key,
        parents=planned.parents,
        reason=reason,
        failed_on=row.failed_on,
        overflows_in=row.overflows_in or (),
        gain_over=gain_over,
        gains=by_task,
        exempt=planned.exempt,
        relative_losses=relative_losses(record, row, over_reference) if planned.exempt else (),
        objectives={} if reason else values,
        attributes=planned.attributes,
    )
