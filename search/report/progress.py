"""Timeline and throughput: the best so far, and what a class took by the clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from primitives.user_file import label
from search.engine.rejection import sizes
from search.records.trace_entry import TraceEntry
from search.report.run_data import RunData

_PAUSE = 10.0  # times the median time between two cohorts, and at least a minute: the job was stopped in between


@dataclass(frozen=True, slots=True)
class Timeline:
    """How a job went.

    Args:
        best: classes trained and the best gain from there on, wherever it rose.
        medians: classes trained and the median gain of the cohort that ended there.
        clock: minutes since the first cohort began and classes trained, in the order of finishing.
        minutes: by the clock without pauses.
        pauses: minutes of each time in which nothing ran.
        per_minute: classes a minute without pauses; None if the times are missing.
        training: seconds of training by task, summed over the workers.
        proposing: seconds of proposing and screening.
    """

    best: tuple[tuple[float, float], ...]
    medians: tuple[tuple[float, float], ...]
    clock: tuple[tuple[float, float], ...]
    minutes: float
    pauses: tuple[float, ...]
    per_minute: float | None
    training: dict[str, float]
    proposing: float


def timeline(run_data: RunData) -> Timeline:
    """From the trace and the candidates in order; times are those of the cohorts' ends."""
    clock = _clock(run_data.trace)
    gaps = [after[0] - before[0] for before, after in pairwise(clock)]
    limit = max(1.0, _PAUSE * median(gaps)) if gaps else 0.0
    pauses = tuple(gap for gap in gaps if gap > limit)
    minutes = (clock[-1][0] if clock else 0.0) - sum(pauses)
    training: Counter[str] = Counter()
    for entry in run_data.trace:
        training.update({label(name): seconds for name, seconds in entry.seconds.items()})
    return Timeline(
        best=_best(run_data),
        medians=_medians(run_data),
        clock=clock,
        minutes=minutes,
        pauses=pauses,
        per_minute=clock[-1][1] / minutes if minutes > 0 else None,
        training=dict(training),
        proposing=sum(entry.proposed_in for entry in run_data.trace if entry.proposed_in > 0),
    )


def _best(run_data: RunData) -> tuple[tuple[float, float], ...]:
    rises: list[tuple[float, float]] = []
    for number, candidate in enumerate(run_data.candidates, start=1):
        if candidate.gain is not None and (not rises or candidate.gain > rises[-1][1]):
            rises.append((number, candidate.gain))
    return (*rises, (len(run_data.candidates), rises[-1][1])) if rises else ()


def _medians(run_data: RunData) -> tuple[tuple[float, float], ...]:
    ends = [0, *(entry.trained for entry in run_data.trace)]
    groups = (
        (end, [c.gain for c in run_data.candidates[start:end] if c.gain is not None]) for start, end in pairwise(ends)
    )
    return tuple((end, median(gains)) for end, gains in groups if gains)


def _clock(trace: Sequence[TraceEntry]) -> tuple[tuple[float, float], ...]:
    """Cohorts may finish in another order than they are recorded in."""
    ends = sorted(
        (entry.finished.timestamp(), size, sum(entry.seconds.values()))
        for entry, size in zip(trace, sizes(trace), strict=True)
        if entry.finished
    )
    if not ends:
        return ()
    begun, done, points = min(end - spent for end, _, spent in ends), 0, [(0.0, 0.0)]
    for end, size, _ in ends:
        done += size
        points.append(((end - begun) / 60, float(done)))
    return tuple(points)
