"""Finalists: the members of the front that are worth a confirmation, and what is expected of them."""

from __future__ import annotations

import numpy as np

from evaluators.expected_gain import Expected, expected_gains
from evaluators.objectives import cost
from evaluators.training.member import Array
from primitives.expression.parsing import parse
from search.baseline.functions import catalogue_classes
from search.config import Config
from search.confirmation.record import Estimate, Finalist
from search.engine.study import Study
from search.records.trial import TrialRecord

RECENT = 10_000  # classes: a second of EM on one core


def finalists(study: Study, config: Config) -> list[Finalist]:
    """The front's members of highest gain above 0, with the gain that is expected after the winner's curse.

    In a job with a baseline those of a class of the catalogue are none: they are compared with.

    The field that they were chosen from are the last 10,000 classes that were trained to the end. Those that thresholds
    let through are among them: a threshold cuts the field off from below, which says little of its upper end, while a
    sample of a few hundred may hold none of the best.
    """
    trials = study.store.trials
    best = sorted(study.front.numbers, key=lambda number: (-trials[number].objectives["gain"], number))
    known = catalogue_classes(exact=config.exact, signs=config.scoring.signs) if study.baseline else {}
    front = (trials[number] for number in best)
    better = [trial for trial in front if (trial.gain or 0.0) > 0 and trial.key not in known]
    chosen = better[: config.confirmation.finalists]
    expected = expected_gains(_seed_gains(study), [trial.gain or 0.0 for trial in chosen])
    return [_finalist(trial, expected[n] if expected else None) for n, trial in enumerate(chosen)]


def _seed_gains(study: Study) -> Array:
    """Gains over the reference, trials x seeds, mean over the tasks."""
    numbers = range(max(0, study.trials - RECENT), study.trials)
    recent = (study.store.trials[number].gains for number in numbers)
    tables = [list(gains.values()) for gains in recent if gains]
    return np.array(tables, dtype=np.float64).mean(axis=1) if tables else np.zeros((0, 1))


def _finalist(trial: TrialRecord, expected: Expected | None) -> Finalist:
    # a gain above 0: the mean over the tasks, however they are aggregated
    estimate = None if expected is None else Estimate(expected.mean, expected.low, expected.high)
    return Finalist(trial.id, trial.expression, cost(parse(trial.expression)), trial.gain, estimate)
