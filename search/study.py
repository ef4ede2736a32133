"""The study: every trained class as a trial of one Optuna study, the Pareto front, and the history of results."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, overload

import optuna
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, TrialState

from evaluators.cohort import CONTROLS
from evaluators.objectives import OBJECTIVES, cost, gains
from evaluators.screens import flags
from primitives.text import parse
from search.front import Front
from search.journal import CohortJournal
from search.known import KnownClasses
from search.rejection import CALIBRATING, promises
from search.strategies.base import Result

NAME = "actsearch"
_FAILED = {"worker-died", "non-finite", "no-reference"}  # other reasons are rejections at a rung


class CohortStudy:
    """An Optuna study in a journal that grows by whole cohorts.

    Args:
        path: the journal; an empty or missing one becomes a new study.

    Attributes:
        study: the Optuna study.
        known: the classes that were trained or are on their way; the controls' classes are known from the start.
        front: the Pareto front.
        uncensored: the calibration set of early rejection: trial numbers, increasing, with the promises at each stage.
    """

    def __init__(self, path: Path) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.journal = CohortJournal(path)
        self.storage = JournalStorage(self.journal)
        self.study = self._load() if self.storage.get_all_studies() else self._create()
        self.known = KnownClasses(lambda number: parse(self.trial(number).user_attrs["expression"]))
        for text in CONTROLS.values():
            self.known.expect(parse(text).scale_class(), parse(text))
        self.front = Front([objective.direction for objective in OBJECTIVES.values()])
        self.uncensored: list[tuple[int, list[float]]] = []
        self.trials = 0
        for trial in self.study.get_trials(deepcopy=False):
            self._enter(trial)

    def _load(self) -> optuna.Study:
        return optuna.load_study(study_name=NAME, storage=self.storage)

    def _create(self) -> optuna.Study:
        directions = [objective.direction for objective in OBJECTIVES.values()]
        with self.journal.batch(), warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study = optuna.create_study(storage=self.storage, study_name=NAME, directions=directions)
            study.set_metric_names(list(OBJECTIVES))
        return study

    def trial(self, number: int) -> FrozenTrial:
        """A trial by its number; in a journal with one study the storage's id is the number."""
        return self.storage.get_trial(number)

    def add(self, record: dict[str, Any]) -> None:
        """Enter a finished cohort: all its trials with one append."""
        trials = _trials(record)
        with self.journal.batch():
            for trial in trials:
                self.study.add_trial(trial)
        for number in range(self.trials, self.trials + len(trials)):
            self._enter(self.trial(number))

    def _enter(self, trial: FrozenTrial) -> None:
        self.known.enter(trial.user_attrs["class"], trial.number)
        if trial.state is TrialState.COMPLETE:
            self.front.add(trial.number, trial.values)
        if trial.user_attrs.get("spared") in CALIBRATING and (row := trial.user_attrs["promises"]):
            self.uncensored.append((trial.number, [math.inf if value is None else value for value in row]))
        self.trials += 1

    def history(self, trials: int) -> History:
        """The first results, as strategies see them."""
        return History(self, trials)


class History(Sequence[Result]):
    """Results in the order of training; each is decoded when it is looked at, nothing is kept."""

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
        return to_result(self._study.trial(range(self._length)[index]))

    def __iter__(self) -> Iterator[Result]:
        return (self[i] for i in range(self._length))


def to_result(trial: FrozenTrial) -> Result:
    """A trial as strategies see it."""
    attributes = trial.user_attrs
    values = dict(zip(OBJECTIVES, trial.values, strict=True)) if trial.state is TrialState.COMPLETE else {}
    return Result(attributes["id"], parse(attributes["expression"]), values, attributes["reason"])


def _trials(record: dict[str, Any]) -> list[FrozenTrial]:
    """The trials of a cohort file, a pure function of it: the times are the file's, not the clock's."""
    rows = zip(record["proposals"], record["result"]["candidates"], strict=True)
    return [_trial(record, slot, proposal, row) for slot, (proposal, row) in enumerate(rows)]


def _trial(record: dict[str, Any], slot: int, proposal: dict[str, Any], row: dict[str, Any]) -> FrozenTrial:
    expression = parse(proposal["expression"])
    scores = _scores(record["result"]["controls"], row, record["tasks"])
    reason = row["reason"] or ("" if scores["gains"] else "no-reference")
    state = _state(reason)
    attributes = {
        "id": f"{record['cohort']}.{slot}",
        "expression": proposal["expression"],
        "class": proposal["class"],
        "parents": proposal["parents"],
        "reason": reason,
        "failed_on": row["failed_on"],
        "overflows_in": list(flags(expression)),
        **scores,
    }
    if "spared" in proposal:
        attributes |= {"spared": proposal["spared"], "promises": promises(record, row, scores["gain_over"].get("relu"))}
    return FrozenTrial(
        number=-1,
        trial_id=-1,
        state=state,
        value=None,
        values=[scores["gain_over"]["relu"], cost(expression)] if state is TrialState.COMPLETE else None,
        datetime_start=datetime.fromisoformat(record["started"]),
        datetime_complete=datetime.fromisoformat(record["finished"]),
        params={},
        distributions={},
        user_attrs=attributes,
        system_attrs={},
        intermediate_values={},
    )


def _state(reason: str) -> TrialState:
    if not reason:
        return TrialState.COMPLETE
    return TrialState.FAIL if reason in _FAILED else TrialState.PRUNED


def _scores(controls: dict[str, Any], row: dict[str, Any], tasks: Sequence[str]) -> dict[str, Any]:
    """Gains as attributes: over each control, and over ReLU by task and seed; empty where there is no number."""
    if row["reason"]:
        return {"gain_over": {}, "gains": {}}
    tables = {name: gains(row, control, tasks) for name, control in controls.items()}
    over = {name: float(table.mean()) for name, table in tables.items()}
    if not all(math.isfinite(value) for value in over.values()):
        return {"gain_over": {}, "gains": {}}
    return {"gain_over": over, "gains": dict(zip(tasks, tables["relu"].tolist(), strict=True))}
