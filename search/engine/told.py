"""What strategies are told: each cohort's trials, and behind them its proposals that were not trained."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from evaluators.objectives import mean_gain
from search.engine.known import parsed
from search.engine.study import History, Study
from search.records.cohort import CohortRecord
from search.records.trace_entry import Outcome, TraceEntry
from search.records.trial import TrialRecord
from search.strategies.base import Result


class Told:
    """Finds what was told by its number, in the time that finding its cohort takes.

    Args:
        study: of the run.
        trace: its lines so far; those that come are entered.
    """

    def __init__(self, study: Study, trace: Sequence[TraceEntry]) -> None:
        self._study = study
        self._entries: list[TraceEntry] = []
        self._ends: list[int] = []  # for each cohort how much was told up to its end
        for entry in trace:
            self.enter(entry)

    def enter(self, entry: TraceEntry) -> None:
        """Take the next cohort in."""
        before = self._ends[-1] if self._ends else 0
        self._ends.append(before + entry.trained - self._trained(len(self._entries)) + len(entry.untrained))
        self._entries.append(entry)

    def history(self, cohorts: int) -> History:
        """The known functions, and what the first cohorts told."""
        return History(self._study.given, self._result, self._ends[cohorts - 1] if cohorts > 0 else 0)

    def _trained(self, cohorts: int) -> int:
        return self._entries[cohorts - 1].trained if cohorts else 0

    def _result(self, number: int) -> Result:
        cohort = bisect_right(self._ends, number)
        place = number - (self._ends[cohort - 1] if cohort else 0)
        trial = self._trained(cohort) + place
        entry = self._entries[cohort]
        if trial < entry.trained:
            return self._study.result(trial)
        own = trial - entry.trained
        return _as_result(f"{entry.cohort}+{own}", entry.untrained[own])


def _as_result(name: str, outcome: Outcome) -> Result:
    function, attributes = parsed(outcome.expression), outcome.attributes
    if outcome.gain is None:
        return Result(name, function, {}, "not-trained", attributes=attributes)
    return Result(name, function, {"gain": outcome.gain}, "", attributes=attributes, repeated=True)


def outcomes(study: Study, record: CohortRecord, fresh: Sequence[TrialRecord], aggregate: str) -> Iterator[Outcome]:
    """What a cohort's proposals that were not trained are told, in order.

    A class is known from its trial, as a known function of the baseline, or as a control. A control has the gain of
    this cohort, which is a mean; where the job does not take the mean of its tasks, nothing is told of controls.

    Args:
        study: with the cohort's trials entered.
        record: the cohort.
        fresh: its trials, which are not in the store yet.
        aggregate: of the gains of several tasks.
    """
    given = {known.trial.key: known.trial for known in study.baseline} if record.plan.untrained else {}
    first = study.trials - len(fresh)

    def gains(key: str) -> Sequence[float | None]:
        """The gain of a class, None where it failed or a screen stopped the proposal; empty where nothing is told."""
        number = study.known.trial(key)
        if not key:
            return [None]
        if number is not None:
            trial = fresh[number - first] if number >= first else study.store.trials[number]
            return [trial.objectives.get("gain")]
        if key in given:
            return [given[key].objectives.get("gain")]
        if aggregate != "mean" or (name := study.controls.get(key, "")) not in record.result.controls:
            return []
        gain = mean_gain(record.result.controls[name], record.result.reference, record.tasks)
        return [gain if math.isfinite(gain) else None]

    for proposal in record.plan.untrained:
        for gain in gains(proposal.key):
            yield Outcome(proposal.expression, gain, proposal.attributes)
