"""What a planned cohort asks of the workers, and the record of what they answered."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from evaluators.cohort import NULLS, CohortRequest
from evaluators.controls import more_controls
from evaluators.objectives import measured_names
from evaluators.results.records import CohortResult
from search.config import Config
from search.records.cohort import CohortRecord, Plan
from search.storage.run_folder import RunFolder


def request_for(config: Config, plan: Plan, folder: RunFolder | None = None, *, current: bool = True) -> CohortRequest:
    """The request for the workers that a plan makes; with a run folder the training is saved at rungs."""
    t = config.training
    return CohortRequest(
        plan.expressions,
        config.tasks,
        config.seed,
        t.seeds,
        t.steps,
        t.rungs,
        t.learning_rates,
        width=t.width,
        device=t.device,
        autocast=t.autocast,
        nulls=NULLS if plan.number == 0 else 0,
        measured=measured_names(config.scored),
        rule=config.rejection.rule,
        thresholds=plan.thresholds,
        exempt=tuple(planned.expression for planned in plan.proposals if planned.exempt),
        drop_worst_rate=t.drop_worst_rate,
        checkpoint=str(folder.checkpoint(plan.number).absolute()) if folder else "",
        checkpoint_seconds=config.workers.checkpoint_seconds,
        operators=config.operators,
        conditions=config.asked(*config.tasks),
        controls=more_controls(config.controls),
        current=current,
        race=plan.race,
        accuracy=config.rejection.accuracy,
        stability=config.rejection.stability,
    )


def finished_cohort(config: Config, plan: Plan, result: CohortResult) -> CohortRecord:
    """A cohort that has just finished; it began as long ago as its training took."""
    finished = time.time()
    begun = finished - sum(result.seconds.values())
    return CohortRecord(plan, config.tasks, _time(begun), _time(finished), result)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
