"""The search, top to bottom: propose, train, record, in the order of the cohorts."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from typing import Literal

from evaluators.machine.running import seconds_run
from evaluators.results.records import CohortResult
from evaluators.results.reference_loss import check_reference
from search.config import Config
from search.engine.funnel_counts import FunnelCounts
from search.engine.learnt import Learnt
from search.engine.mixtures import DrainedError, Mixtures
from search.engine.proposer import Proposer, expected
from search.engine.racing import laps
from search.engine.recorder import Recorder
from search.engine.rejection import with_thresholds
from search.engine.request import finished_cohort, request_for
from search.engine.rivals import keeps_current
from search.records.cohort import CohortRecord, Plan
from search.records.trace_entry import TraceEntry, spent
from search.storage import Store
from search.storage.run_folder import RunFolder
from search.workers import Finished, Workers, cohort_of

#: Why a search ended.
Ended = Literal["budget", "grammar exhausted", "time", "interrupted"]


@dataclass(frozen=True, slots=True)
class Progress:
    """After a cohort: how far the job is."""

    budget: int
    entry: TraceEntry
    funnel: FunnelCounts


def search(
    config: Config, recorder: Recorder, workers: Workers, show: Callable[[Progress], None], *,
    folder: RunFolder | None = None, until: float = math.inf,
) -> Ended:  # fmt: skip
    """Run a job to its budget.

    Cohort k is proposed from the results of cohorts 0 .. k-1-lag, whatever the number of workers; results are
    recorded in the order of the cohorts. Finished cohorts that the store has kept are not trained again.

    Args:
        config: the job.
        recorder: enters the cohorts into the study and its store.
        workers: train the cohorts.
        show: called after each cohort.
        folder: of the run, where unfinished cohorts are saved at rungs; none are without one.
        until: stop at the end of a cohort once ``seconds_run()`` is past this.

    Returns:
        Why it ended.

    Raises:
        ReferenceLossError: the reference has no finite loss in the first cohort.
    """
    proposer, lag = Proposer(config, recorder.study.known), config.cohorts.lag
    learnt = Learnt(proposer.strategy, folder)
    plans: dict[int, Plan] = {}
    done: dict[int, CohortRecord] = {}
    begun = told = recorder.cohorts
    planned, mixed, exhausted = recorder.study.trials, spent(recorder.store.trace) - recorder.study.trials, False
    current = keeps_current(config, recorder.store)
    _sweep(folder, told, done)

    def arrived(finished: Finished) -> None:
        done[finished[0]] = _finish(recorder.store, config, plans[finished[0]], cohort_of(finished[1]))
        _sweep(folder, told, done)

    mixtures = Mixtures(config, workers, folder, arrived)
    proposer.strategy.mixtures = mixtures
    while True:
        while begun <= told + lag and planned + mixed < config.budget and not exhausted:
            record = recorder.store.cohort(begun)
            mixtures.begin(config.budget - planned - mixed)
            try:
                plan = record.plan if record else _proposed(begun, planned, proposer, recorder, plans, lag)
            except DrainedError:
                return "interrupted"
            if record is None:
                plan = replace(plan, mixed=mixtures.counted, seconds=max(0.0, round(plan.seconds - mixtures.waited, 3)))
            mixed += plan.mixed
            exhausted = not plan.proposals
            if exhausted:
                break
            plans[begun] = plan
            if record:
                expected(recorder.study.known, plan)
                done[begun] = record
                _sweep(folder, told, done)
            else:
                learnt.proposed(begun)
                workers.submit(begun, request_for(config, plan, folder, current=current))
            begun, planned = begun + 1, planned + len(plan.proposals)
        if told == begun:
            out_of_proposals = exhausted and not mixtures.refused and planned + mixed < config.budget
            return "grammar exhausted" if out_of_proposals else "budget"
        while told not in done:
            finished = workers.next()
            if finished is None:
                return "interrupted"
            arrived(finished)
        if told == 0:
            first = done[told]
            check_reference(first.result, first.tasks, "launch with smaller training.learning_rates")
        show(Progress(config.budget, recorder.record(done.pop(told)), recorder.funnel))
        learnt.told(told)
        _settle()
        told += 1
        plans.pop(told - 1 - lag, None)
        if seconds_run() > until and spent(recorder.store.trace) < config.budget:
            return "time"


def _settle() -> None:
    """Trials stay to the end: Python's collector need not look at all of them again and again."""
    gc.collect(1)
    gc.freeze()


def _proposed(
    number: int, planned: int, proposer: Proposer, recorder: Recorder, plans: dict[int, Plan], lag: int
) -> Plan:
    """The plan of a cohort that begins with candidate ``planned`` of the job.

    Thresholds and the limits of the race see what proposals see.
    """
    pending = [plans[n] if n in plans else recorder.plan(n) for n in range(max(0, number - lag), number)]
    plan = proposer.propose(number, recorder.history(number - lag), pending)
    config = proposer.config
    plan = replace(plan, race=laps(config.training.race, config.training.seeds, recorder.raced(number - lag)))
    return with_thresholds(plan, config, planned, recorder.uncensored(number - lag))


def _finish(store: Store, config: Config, plan: Plan, result: CohortResult) -> CohortRecord:
    """Keep a finished cohort; from here on it cannot be lost."""
    record = finished_cohort(config, plan, result)
    store.keep(record)
    return record


def _sweep(folder: RunFolder | None, told: int, done: Container[int]) -> None:
    """Delete the saved states of cohorts that are trained."""
    if folder is not None:
        folder.sweep_checkpoints(lambda number: number < told or number in done)
