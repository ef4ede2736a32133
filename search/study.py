"""The study: every trained class as a trial of one Optuna study, the Pareto front, and the history of results."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import overload

import optuna
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, TrialState

from evaluators.cohort import CONTROLS
from evaluators.json_codec import Fields
from evaluators.reasons import Kind, Reason, Unmeasured, code_of
from primitives.classes import fingerprint
from search.cohort_record import CohortRecord
from search.front import Front
from search.journal import CohortJournal
from search.known import KnownClasses, parsed
from search.rejection import CALIBRATING, relative_losses
from search.scoring import Scoring, gains_of
from search.strategies.base import Result
from search.trial_codec import trial_from_json, trial_to_json
from search.trial_record import TrialRecord

NAME = "actsearch"
_STATES = {Kind.FAILED: TrialState.FAIL, Kind.REJECTED: TrialState.PRUNED}
_DECODED = 1024  # results kept decoded; strategies look at the last ones again and again
DEFAULT_SCORING = Scoring()


class CohortStudy:
    """An Optuna study in a journal that grows by whole cohorts.

    Args:
        path: the journal; an empty or missing one becomes a new study.
        scoring: the job's objectives.

    Attributes:
        study: the Optuna study.
        known: the classes that were trained or are on their way; the controls' classes are known from the start.
        front: the Pareto front.
        uncensored: the calibration set of early rejection: trial numbers, increasing, with the relative loss at
            each rung.
        result: a trial by its number, as strategies see it.
    """

    def __init__(self, path: Path, scoring: Scoring = DEFAULT_SCORING) -> None:
        self.scoring = scoring
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.journal = CohortJournal(path)
        self.storage = JournalStorage(self.journal)
        self.study = self._load() if self.storage.get_all_studies() else self._create()
        self.known = KnownClasses(lambda number: parsed(self.trained(number).expression))
        for text in CONTROLS.values():
            self.known.expect(fingerprint(parsed(text)).scale, parsed(text))
        self.front = Front(scoring.directions)
        self.uncensored: list[tuple[int, list[float]]] = []
        self.result = lru_cache(maxsize=_DECODED)(self._result)
        self.trials = 0
        for trial in self.study.get_trials(deepcopy=False):
            self._enter(trial)

    def _load(self) -> optuna.Study:
        return optuna.load_study(study_name=NAME, storage=self.storage)

    def _create(self) -> optuna.Study:
        with self.journal.batch(), warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study = optuna.create_study(storage=self.storage, study_name=NAME, directions=self.scoring.directions)
            study.set_metric_names(list(self.scoring.objectives))
        return study

    def trial(self, number: int) -> FrozenTrial:
        """A trial by its number; in a journal with one study the storage's id is the number."""
        return self.storage.get_trial(number)

    def trained(self, number: int) -> TrialRecord:
        """The class that a trial trained."""
        return self._decoded(self.trial(number))

    def _decoded(self, trial: FrozenTrial) -> TrialRecord:
        place = f"{self.journal.path}: trial {trial.number}"
        return trial_from_json(Fields(trial.user_attrs, place), self.scoring.objectives)

    def add(self, record: CohortRecord) -> None:
        """Enter a finished cohort: all its trials with one append."""
        trials = _trials(record, self.scoring)
        with self.journal.batch():
            for trial in trials:
                self.study.add_trial(trial)
        for number in range(self.trials, self.trials + len(trials)):
            self._enter(self.trial(number))

    def _enter(self, trial: FrozenTrial) -> None:
        trained = self._decoded(trial)
        self.known.enter(trained.key, trial.number)
        if trial.state is TrialState.COMPLETE:
            self.front.add(trial.number, trial.values)
        if trained.exempt in CALIBRATING and trained.relative_losses:
            self.uncensored.append((trial.number, list(trained.relative_losses)))
        self.trials += 1

    def values(self, trial: FrozenTrial) -> dict[str, float]:
        """The objectives of a trial by name; empty if it failed."""
        complete = trial.state is TrialState.COMPLETE
        return dict(zip(self.scoring.objectives, trial.values, strict=True)) if complete else {}

    def _result(self, number: int) -> Result:
        """A trial as strategies see it."""
        trial = self.trial(number)
        found = self._decoded(trial)
        by_task = {name: sum(gains) / len(gains) for name, gains in found.gains.items()}
        return Result(
            id=found.id,
            expression=parsed(found.expression),
            objectives=self.values(trial),
            reason=code_of(found.reason),
            by_task=by_task,
            attributes=trial.system_attrs,
        )

    def history(self, trials: int) -> History:
        """The first results, as strategies see them."""
        return History(self, trials)


class History(Sequence[Result]):
    """Results in the order of training; each is decoded when it is looked at."""

    def __init__(self, study: CohortStudy, trials: int) -> None:
        self._study, self._length = study, trials

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> list[Result]: ...
    def __getitem__(self, index: int | slice) -> Result | list[Result]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._length))]
        return self._study.result(range(self._length)[index])

    def __iter__(self) -> Iterator[Result]:
        return (self[i] for i in range(self._length))


def _trials(record: CohortRecord, scoring: Scoring) -> list[FrozenTrial]:
    """The trials of a cohort file, a pure function of it: the times are the file's, not the clock's."""
    return [_trial(record, slot, gain, scoring) for slot, gain in enumerate(scoring.gains(record))]


def _trial(record: CohortRecord, slot: int, gain: float, scoring: Scoring) -> FrozenTrial:
    planned, row = record.plan.proposals[slot], record.result.candidates[slot]
    gain_over, by_task = gains_of(row, record)
    reason: Reason | Unmeasured | None = row.reason or (None if by_task else Reason.NO_REFERENCE)
    values = {} if reason else scoring.values(parsed(planned.expression), row, gain, record)
    reason = reason or next((Unmeasured(name) for name, value in values.items() if not math.isfinite(value)), None)
    trained = TrialRecord(
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
        relative_losses=relative_losses(record, row, gain_over.get("relu")) if planned.exempt else (),
    )
    return FrozenTrial(
        number=-1,
        trial_id=-1,
        state=TrialState.COMPLETE if reason is None else _STATES[reason.kind],
        value=None,
        values=None if reason else list(values.values()),
        datetime_start=record.started,
        datetime_complete=record.finished,
        params={},
        distributions={},
        user_attrs=trial_to_json(trained),
        system_attrs=dict(planned.attributes),
        intermediate_values={},
    )
