"""The recorder enters finished cohorts into the study and its store."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from evaluators.objectives import mean_gain
from evaluators.results.records import CohortResult
from evaluators.results.records_codec import controls_digest
from evaluators.training.member import Array
from search.config import Config
from search.engine.cohort_trials import trials_of
from search.engine.funnel_counts import FunnelCounts
from search.engine.racing import RECENT, gains_by_seed
from search.engine.rejection import findings
from search.engine.study import History, Study
from search.engine.told import Told, outcomes
from search.records.cohort import CohortRecord, Plan, Planned
from search.records.trace_entry import Best, TraceEntry
from search.records.trial import TrialRecord

_RACED = 2 * RECENT  # classes whose gains are kept decoded


class Recorder:
    """Enters cohorts, in order, into the study and its store.

    Args:
        study: what was recorded so far.
        config: the job's.
    """

    def __init__(self, study: Study, config: Config) -> None:
        self.study, self.store, self.config = study, study.store, config
        self.funnel = FunnelCounts.of(self.store.trace)
        self._told = Told(study, self.store.trace)
        self._raced = lru_cache(maxsize=_RACED)(lambda number: gains_by_seed(self.store.trials[number]))

    @property
    def cohorts(self) -> int:
        """Number of cohorts recorded."""
        return len(self.store.trace)

    def history(self, cohorts: int) -> History:
        """What strategies are told of the first cohorts."""
        return self._told.history(cohorts)

    def uncensored(self, cohorts: int) -> Array:
        """The calibration set of early rejection after the first cohorts, (trials, rungs)."""
        return self.study.uncensored.rows(self._trained(cohorts))

    def raced(self, cohorts: int) -> list[Array]:
        """What the limits of a race are learnt from: the last classes of the first cohorts."""
        end = self._trained(cohorts)
        return [self._raced(number) for number in range(max(0, end - RECENT), end)]

    def _trained(self, cohorts: int) -> int:
        """Classes that the first cohorts trained."""
        return self.store.trace[cohorts - 1].trained if cohorts > 0 else 0

    def plan(self, number: int) -> Plan:
        """What a recorded cohort proposed."""
        trials = self.store.trials[self._trained(number) : self._trained(number + 1)]
        return Plan(number, [Planned(t.expression, t.key, t.parents, t.attributes) for t in trials], {})

    def record(self, record: CohortRecord) -> TraceEntry:
        """Enter a finished cohort; return its line of the trace."""
        trials = trials_of(record, self.study.scoring)
        self.study.enter(trials)
        entry = self.store.append(record, trials, self._entry(record, trials))
        self.funnel.add(entry)
        self._told.enter(entry)
        return entry

    def _entry(self, record: CohortRecord, trials: Sequence[TrialRecord]) -> TraceEntry:
        controls = controls_digest(record.result)
        first = next((e.controls_sha256 for e in self.store.trace if e.controls_sha256), controls)
        reasons = Counter(row.reason for row in record.result.candidates if row.reason)
        return TraceEntry(
            cohort=record.plan.number,
            trained=self.study.trials,
            proposed=sum(record.plan.counts.values()),
            counts=record.plan.counts,
            findings=findings(record, trials, self.study.uncensored.rows(), self.config),
            rejected=dict(sorted(reasons.items(), key=lambda item: item[0].code)),
            front=len(self.study.front.numbers),
            best=self._best(trials),
            null_gains=self._null_gains(record.result),
            controls_sha256=controls,
            controls_repeat=controls == first,
            finished=record.finished,
            proposed_in=record.plan.seconds,
            seconds=record.result.seconds,
            mixed=(self.store.trace[-1].mixed if self.store.trace else 0.0) + record.plan.mixed,
            by_torch=record.result.by_torch,
            untrained=tuple(outcomes(self.study, record, trials, self.config.aggregate)),
        )

    def _best(self, fresh: Sequence[TrialRecord]) -> Best | None:
        """The front's member of highest gain; the last trials are not in the store yet."""
        first = self.study.trials - len(fresh)
        front = [fresh[n - first] if n >= first else self.store.trials[n] for n in self.study.front.numbers]
        best = max(front, key=lambda trial: trial.objectives["gain"], default=None)
        return None if best is None else Best(best.expression, best.objectives["gain"])

    def _null_gains(self, result: CohortResult) -> tuple[float, ...]:
        """Gains of the null controls over the reference, where the cohort has them; NaN where one is not finite."""
        gains = (mean_gain(row, result.reference, self.config.tasks) for row in result.nulls)
        return tuple(gain if math.isfinite(gain) else math.nan for gain in gains)
