"""Provenance: which way of proposing made the good candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from evaluators.statistics import share_interval
from primitives.equivalence.canonical import canonical
from primitives.expression.parsing import parse
from search.config import Config
from search.report.run_data import Candidate, RunData

TOP = 0.05  #: the share of the candidates trained to the end that counts as good


@dataclass(frozen=True, slots=True)
class Provenance:
    """What one way of proposing came to.

    Args:
        origin: the way.
        trained: candidates that were trained.
        finished: of these, to the end.
        better: of these, with a lower loss than the reference.
        good: of those, among the best 5 % of the run.
        share: 95 % interval of good / trained.
        front: members of the front.
        best, middle: gain of the best one, and the median; None if none was trained to the end.
    """

    origin: str
    trained: int
    finished: int
    better: int
    good: int
    share: tuple[float, float]
    front: int
    best: float | None
    middle: float | None


def origins(candidates: Sequence[Candidate], config: Config) -> dict[str, str]:
    """The way in which each candidate was proposed, by id; read off its parents, its cohort and the start list.

    Two parents make a crossover, one a mutation. What has none is the user's own (``start``), or fresh from the
    grammar: a random start before the first cohort with children, an immigrant from then on. Where a strategy never
    makes children, it has proposed all others itself.
    """
    given = _start_list(config)
    first = min((c.trial.cohort for c in candidates if c.parents), default=None)
    lone = f"proposed by {config.strategy_label}"
    cohorts = math.ceil(len(config.start) / config.cohorts.size)

    def origin(candidate: Candidate) -> str:
        if candidate.parents:
            return "crossover" if len(candidate.parents) > 1 else "mutation"
        if candidate.trial.cohort < cohorts and candidate.expression in given:
            return "start list"
        if first is None:
            return lone
        return "random start" if candidate.trial.cohort < first else "immigrant"

    return {candidate.id: origin(candidate) for candidate in candidates}


def _start_list(config: Config) -> set[str]:
    """The texts that functions of the start list may have in the study."""
    given = [parse(text) for text in config.start]
    return {form.text for expression in given for form in (expression, canonical(expression))}


def provenance(run_data: RunData, origin_of: dict[str, str]) -> list[Provenance]:
    """One row for each way, the one with the most good candidates first."""
    gains = sorted((c.gain for c in run_data.candidates if c.gain is not None), reverse=True)
    bar = gains[math.ceil(TOP * len(gains)) - 1] if gains else math.inf
    front = {row.id for row in run_data.front}
    groups: dict[str, list[Candidate]] = {}
    for candidate in run_data.candidates:
        groups.setdefault(origin_of[candidate.id], []).append(candidate)
    rows = [_provenance(origin, members, bar, front) for origin, members in groups.items()]
    return sorted(rows, key=lambda row: (-row.good, -row.trained))


def _provenance(origin: str, members: Sequence[Candidate], bar: float, front: set[str]) -> Provenance:
    gains = [c.gain for c in members if c.gain is not None]
    good = sum(1 for gain in gains if gain >= bar)
    return Provenance(
        origin=origin,
        trained=len(members),
        finished=len(gains),
        better=sum(1 for c in members if c.gain is not None and c.better),
        good=good,
        share=share_interval(good, len(members)),
        front=sum(1 for c in members if c.id in front),
        best=max(gains, default=None),
        middle=median(gains) if gains else None,
    )
