"""The study: known classes, Pareto front, calibration set and history, derived from the trials of a store."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import overload

from evaluators.controls import CONTROLS, Named
from evaluators.results.reasons import code_of
from primitives.equivalence.signs import sign_class
from search.baseline.known import Known
from search.engine.front import Front
from search.engine.known import KnownClasses, parsed
from search.engine.rejection import CALIBRATING
from search.engine.scoring import DEFAULT_SCORING, Scoring
from search.engine.uncensored import Uncensored
from search.engine.unit import unit_of
from search.records.trial import TrialRecord
from search.storage import Store
from search.strategies.base import Result

_DECODED = 1024  # results kept decoded; strategies look at the last ones again and again


class Study:
    """The trials of a store and what derives from them, kept up as they come in.

    Args:
        store: of the run.
        scoring: the job's objectives.
        controls: more of them, names with texts.
        baseline: the known functions of the job; strategies see them before all trials, the best one last.

    Attributes:
        known: the classes that were trained or are on their way; the controls' classes are known from the start.
        front: the Pareto front.
        uncensored: the calibration set of early rejection.
        trials: how many were entered.
        controls: the controls' names by class.
        given: the known functions' results.
        result: a trial by its number, as strategies see it.
    """

    def __init__(
        self, store: Store, scoring: Scoring = DEFAULT_SCORING, controls: Named = (), baseline: Sequence[Known] = ()
    ) -> None:
        self.store, self.scoring = store, scoring
        exact, signs = scoring.exact, scoring.signs
        self.known = KnownClasses(lambda n: parsed(store.trials[n].expression), exact=exact, signs=signs)
        self.controls = {
            sign_class(parsed(text), exact=exact, signs=signs): name
            for name, text in (CONTROLS | dict(controls)).items()
        }
        for key, name in self.controls.items():
            self.known.expect(key, parsed((CONTROLS | dict(controls))[name]))
        self.baseline = sorted(baseline, key=lambda known: -math.inf if known.gain is None else known.gain)
        for known in self.baseline:
            self.known.expect(known.trial.key, parsed(known.trial.expression))
        self.given = [_as_result(replace(known.trial, attributes={})) for known in self.baseline]
        self.front = Front(scoring.directions)
        self.uncensored = Uncensored()
        self.trials = 0
        self._units: dict[tuple[str, ...], str] = {}
        self.result = lru_cache(maxsize=_DECODED)(self._result)
        self.enter(store.trials)

    def enter(self, trials: Iterable[TrialRecord]) -> None:
        """Take the next trials in."""
        for trial in trials:
            self.known.enter(trial.key, self.trials)
            if trial.objectives:
                self.front.add(self.trials, list(trial.objectives.values()))
            if trial.exempt in CALIBRATING and trial.relative_losses:
                self.uncensored.add(self.trials, trial.relative_losses)
            self.trials += 1

    @property
    def front_trials(self) -> list[TrialRecord]:
        """The Pareto front, in order of entry."""
        return [self.store.trials[number] for number in self.front.numbers]

    def unit(self, tasks: Sequence[str]) -> str:
        """The unit of the gains, see :func:`search.engine.unit.unit_of`; a cohort's file is read once for it."""
        key = tuple(tasks)
        if key not in self._units:
            unit = unit_of(self.store, tasks)
            if not self.trials:
                return unit
            self._units[key] = unit
        return self._units[key]

    def _result(self, number: int) -> Result:
        """A trial as strategies see it."""
        return _as_result(self.store.trials[number])

    def history(self, trials: int) -> History:
        """The known functions and the first results, as strategies see them."""
        return History(self.given, self.result, trials)


def _as_result(trial: TrialRecord) -> Result:
    return Result(
        id=trial.id,
        expression=parsed(trial.expression),
        objectives=dict(trial.objectives),
        reason=code_of(trial.reason),
        by_task={name: sum(gains) / len(gains) for name, gains in trial.gains.items()},
        attributes=trial.attributes,
        seeds=trial.seeds,
    )


class History(Sequence[Result]):
    """Results in the order of training; each trial is decoded when it is looked at.

    Args:
        given: results from before the first trial.
        result: gives that of a trial by its number.
        trials: how many trials it has.
    """

    def __init__(self, given: Sequence[Result], result: Callable[[int], Result], trials: int) -> None:
        self._given, self._result, self._length = given, result, len(given) + trials

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> list[Result]: ...
    def __getitem__(self, index: int | slice) -> Result | list[Result]:
        if isinstance(index, slice):
            known = len(self._given)
            numbers = range(*index.indices(self._length))
            return [self._given[n] if n < known else self._result(n - known) for n in numbers]
        number = range(self._length)[index]
        first = len(self._given)
        return self._given[number] if number < first else self._result(number - first)

    def __iter__(self) -> Iterator[Result]:
        return (self[i] for i in range(self._length))
