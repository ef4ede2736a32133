"""Finalists: the members of the front that are worth a confirmation, and what is expected of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from evaluators.member import Array
from evaluators.objectives import cost
from evaluators.statistics import reliability, shrunk
from primitives.parsing import parse
from search.config import Config
from search.study import CohortStudy

Row = dict[str, Any]


def finalists(study: CohortStudy, config: Config) -> list[Row]:
    """The front's members of highest gain above 0, with the gain that is expected after the winner's curse.

    The reliability is estimated on the last 500 trials that were trained to the end whatever they promised: those that
    thresholds let through are too good and too alike.
    """
    field = _seed_gains(study)
    trust, centre = (reliability(field), float(field.mean())) if len(field) > 1 else (1.0, 0.0)
    front = [study.trial(number) for number in study.front.numbers]
    better = [trial for trial in front if trial.user_attrs["gain_over"]["relu"] > 0]
    best = sorted(better, key=lambda trial: (-trial.values[0], trial.number))[: config.confirmation.finalists]
    return [_finalist(trial, centre, trust) for trial in best]


def _seed_gains(study: CohortStudy) -> Array:
    """Gains over ReLU, trials x seeds, mean over the tasks."""
    numbers = [number for number, _ in study.uncensored] or range(study.trials)
    recent = [study.trial(number) for number in numbers[-500:]]
    tables = [list(trial.user_attrs["gains"].values()) for trial in recent if trial.user_attrs["gains"]]
    return np.array(tables, dtype=np.float64).mean(axis=1) if tables else np.zeros((0, 1))


def _finalist(trial: FrozenTrial, centre: float, trust: float) -> Row:
    gain = trial.user_attrs["gain_over"]["relu"]  # the mean over the tasks, however they are aggregated
    return {
        "id": trial.user_attrs["id"],
        "expression": trial.user_attrs["expression"],
        "cost": cost(parse(trial.user_attrs["expression"])),
        "search_gain": gain,
        "shrunk_gain": shrunk(gain, centre, trust),
    }
