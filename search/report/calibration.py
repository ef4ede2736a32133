"""Rung calibration: how well a loss early in training foretells the gain at the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from primitives.user_file import label
from search.config import Config
from search.engine.rejection import CALIBRATING
from search.records.trace_entry import TraceEntry
from search.report.run_data import RunData

_FEWEST = 5  # points without which a rank correlation says nothing


@dataclass(frozen=True, slots=True)
class RungCalibration:
    """What a rung foretold.

    Args:
        task: its label.
        step: of training.
        points: gain here and gain at the end of each candidate that was trained to the end whatever its losses were.
        failed: how many more had a gain here and failed later.
        correlation: Spearman's, None with fewer than five points or where all are equal.
        threshold: gain here below which candidates are rejected in the last cohort; None without one.
    """

    task: str
    step: int
    points: tuple[tuple[float, float], ...]
    failed: int
    correlation: float | None
    threshold: float | None


def calibrations(run_data: RunData) -> list[RungCalibration]:
    """All rungs but the last, in the order of training."""
    rungs = _rungs(run_data.config)
    trials = [c.trial for c in run_data.candidates if c.trial.exempt in CALIBRATING]
    rows = [trial.relative_losses for trial in trials if len(trial.relative_losses) == len(rungs) + 1]
    thresholds = _thresholds(run_data.trace)
    limits = [*thresholds] if len(thresholds) == len(rungs) else [None] * len(rungs)
    return [_calibration(task, step, n, rows, limits[n]) for n, (task, step) in enumerate(rungs)] if rows else []


def _rungs(config: Config) -> list[tuple[str, int]]:
    steps = (*config.training.rungs, config.training.steps)
    return [(label(name), step) for name in config.tasks for step in steps][:-1]


def _thresholds(trace: Sequence[TraceEntry]) -> tuple[float, ...]:
    """Of the last cohort that had any."""
    thresholds = [entry.findings.thresholds for entry in trace if entry.findings and entry.findings.thresholds]
    return thresholds[-1] if thresholds else ()


def _calibration(
    task: str, step: int, number: int, rows: Sequence[Sequence[float]], limit: float | None
) -> RungCalibration:  # fmt: skip
    here = [(row[number], row[-1]) for row in rows if math.isfinite(row[number])]
    points = tuple((-early, -late) for early, late in here if math.isfinite(late))
    threshold = -limit if limit is not None and math.isfinite(limit) else None
    return RungCalibration(task, step, points, len(here) - len(points), _spearman(points), threshold)


def _spearman(points: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's rank correlation (Spearman 1904)."""
    if len(points) < _FEWEST:
        return None
    from scipy.stats import rankdata  # imported late: half a second

    early, late = (rankdata(values) for values in zip(*points, strict=True))
    if np.ptp(early) == 0 or np.ptp(late) == 0:
        return None
    return float(np.corrcoef(early, late)[0, 1])
