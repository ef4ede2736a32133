"""Finalists: the members of the front that are worth a confirmation, and what is expected of them."""

from __future__ import annotations

import numpy as np

from evaluators.objectives import cost
from evaluators.statistics import reliability, shrunk
from evaluators.training.member import Array
from primitives.expression.parsing import parse
from search.config import Config
from search.confirmation.record import Finalist
from search.engine.study import Study
from search.records.trial import TrialRecord


def finalists(study: Study, config: Config) -> list[Finalist]:
    """The front's members of highest gain above 0, with the gain that is expected after the winner's curse.

    The reliability is estimated on the last 500 trials that were trained to the end whatever their losses were: those
    that thresholds let through are too good and too alike.
    """
    trials, field = study.store.trials, _seed_gains(study)
    trust, centre = (reliability(field), float(field.mean())) if len(field) > 1 else (1.0, 0.0)
    best = sorted(study.front.numbers, key=lambda number: (-trials[number].objectives["gain"], number))
    better = [trial for trial in (trials[number] for number in best) if (trial.gain or 0.0) > 0]
    return [_finalist(trial, centre, trust) for trial in better[: config.confirmation.finalists]]


def _seed_gains(study: Study) -> Array:
    """Gains over the reference, trials x seeds, mean over the tasks."""
    numbers = [number for number, _ in study.uncensored] or range(study.trials)
    recent = [study.store.trials[number] for number in numbers[-500:]]
    tables = [list(trial.gains.values()) for trial in recent if trial.gains]
    return np.array(tables, dtype=np.float64).mean(axis=1) if tables else np.zeros((0, 1))


def _finalist(trial: TrialRecord, centre: float, trust: float) -> Finalist:
    gain = trial.gain or 0.0  # above 0; the mean over the tasks, however they are aggregated
    return Finalist(trial.id, trial.expression, cost(parse(trial.expression)), gain, shrunk(gain, centre, trust))
