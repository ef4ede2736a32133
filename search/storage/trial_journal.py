"""The journal of trials: every trained class as a trial of one Optuna study. Optuna's own words end here."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, overload

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, TrialState

from evaluators.errors import RecordError
from evaluators.results.json_codec import Fields, JsonObject
from evaluators.results.reasons import Kind
from search.engine.scoring import DEFAULT_SCORING, Scoring
from search.records.cohort_codec import time_to_json
from search.records.trial import TrialRecord
from search.records.trial_codec import trial_from_json, trial_to_json
from search.storage.journal import WRITER, CohortJournal

NAME = "actsearch"
METRICS = "study:metric_names"  # of Optuna's, as set_metric_names writes it
Direction = Literal["maximize", "minimize"]
RECENT = 1024  #: trials that stay decoded, 2 KB each
CREATE_TRIAL = 4  # Optuna's code of such a line
HEADER = 2  #: lines of a journal before its first trial
_STATES = {Kind.FAILED: TrialState.FAIL, Kind.REJECTED: TrialState.PRUNED}


class Trials(Sequence[TrialRecord]):
    """The trials of a journal, each decoded when it is looked at.

    Args:
        storage: with one study, so that its id of a trial is the trial's number.
        objectives: of the job.
        place: names the journal in complaints.
    """

    def __init__(self, storage: JournalStorage, objectives: Sequence[str], place: Path) -> None:
        self._storage, self._objectives, self._place = storage, objectives, place
        begun = bool(storage.get_all_studies())
        self._count = storage.get_n_trials(storage.get_study_id_from_name(NAME)) if begun else 0
        self._recent: dict[int, TrialRecord] = {}

    def grow(self, trials: Sequence[TrialRecord]) -> None:
        """Take more trials in; the last ones are looked at again and again, and stay decoded."""
        for trial in trials:
            attributes = json.loads(json.dumps(dict(trial.attributes))) if trial.attributes else {}
            self._recent[self._count] = replace(trial, attributes=attributes)
            self._recent.pop(self._count - RECENT, None)
            self._count += 1

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> TrialRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[TrialRecord]: ...
    def __getitem__(self, index: int | slice) -> TrialRecord | list[TrialRecord]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        number = range(self._count)[index]
        return self._recent.get(number) or self._decoded(self._storage.get_trial(number))

    def _decoded(self, trial: FrozenTrial) -> TrialRecord:
        fields = Fields(trial.user_attrs, f"{self._place}: trial {trial.number}")
        complete = trial.state is TrialState.COMPLETE
        values = trial.values if complete else []
        if complete and len(values) != len(self._objectives):
            raise RecordError(f"{fields.place}: expected a number for each of {', '.join(self._objectives)}")
        return replace(
            trial_from_json(fields, self._objectives),
            objectives=dict(zip(self._objectives, values, strict=True)) if complete else {},
            attributes=trial.system_attrs,
        )


class TrialJournal:
    """An Optuna study in a journal that grows by whole cohorts.

    Args:
        path: the journal; an empty or missing one becomes a new study.
        scoring: the job's objectives.

    Attributes:
        journal: the file.
        study: the Optuna study.
        trials: in order.
    """

    def __init__(self, path: Path, scoring: Scoring = DEFAULT_SCORING) -> None:
        self.scoring, self.journal = scoring, CohortJournal(path)
        self._storage = storage = _storage(self.journal)
        self.study = self._load(storage) if storage.get_all_studies() else self._create(storage)
        self.trials = Trials(storage, scoring.objectives, path)

    def _load(self, storage: JournalStorage) -> optuna.Study:
        return optuna.load_study(study_name=NAME, storage=storage)

    def _create(self, storage: JournalStorage) -> optuna.Study:
        with self.journal.batch(), warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study = optuna.create_study(storage=storage, study_name=NAME, directions=self.scoring.directions)
            study.set_metric_names(list(self.scoring.objectives))
        return study

    def add(self, trials: Sequence[TrialRecord], started: datetime, finished: datetime) -> None:
        """Enter the trials of a cohort with one append; the times are the cohort's, not the clock's."""
        times = time_to_json(started.astimezone(UTC)), time_to_json(finished.astimezone(UTC))
        with self.journal.batch():
            self.journal.append_logs([_log_of(trial, *times) for trial in trials])
            self._storage.get_study_name_from_id(0)  # takes the lines in, while they need not be read from the file
        self.trials.grow(trials)


def read_trials(backend: BaseJournalBackend, scoring: Scoring, place: Path) -> Trials:
    """The trials of a journal for reading; none where it has no study yet.

    Raises:
        RecordError: its lines are no study's, or a trial has another shape.
    """
    try:
        return Trials(_storage(backend), scoring.objectives, place)
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:  # Optuna takes it as it comes
        raise RecordError(f"{place} is no journal of a study: {type(error).__name__}: {error}") from None


def directions_in(backend: BaseJournalBackend) -> dict[str, Direction]:
    """The names of the objectives with their directions; none where there is no study yet."""
    ways: dict[str, Direction] = {}
    for study in _storage(backend).get_all_studies():  # one, or none
        for name, way in zip(study.system_attrs.get(METRICS, []), study.directions, strict=False):
            ways[name] = "maximize" if way.name == "MAXIMIZE" else "minimize"
    return ways


def _storage(backend: BaseJournalBackend) -> JournalStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return JournalStorage(backend)


def _log_of(trial: TrialRecord, started: str, finished: str) -> JsonObject:
    """The line that Optuna's ``Study.add_trial`` writes of a finished trial, key by key.

    A cohort's are written at once: one after the other, each is checked, locked and looked for in what was written.
    """
    state = TrialState.COMPLETE if trial.reason is None else _STATES[trial.reason.kind]
    values = None if trial.reason else list(trial.objectives.values())
    several = values is not None and len(values) > 1
    return {
        "op_code": CREATE_TRIAL,
        "worker_id": WRITER,
        "study_id": 0,
        "datetime_start": started,
        "state": state,
        "value": None if several or not values else values[0],
        "values": values if several else None,
        "datetime_complete": finished,
        "distributions": {},
        "params": {},
        "user_attrs": trial_to_json(trial),
        "system_attrs": dict(trial.attributes),
        "intermediate_values": {},
    }
