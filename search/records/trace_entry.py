"""Record of a line of ``cohorts.jsonl``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from evaluators.results.reasons import Reason
from search.records.cohort import Counts


@dataclass(frozen=True, slots=True)
class Findings:
    """What a cohort says of early rejection.

    Args:
        thresholds: of the cohort, one for each rung, task after task; none while only failures go.
        compute: share of all models' full steps that was taken, on the seeds that all candidates have.
        audited: how many were exempt by lot while thresholds held.
        missed: gains of those that a threshold would have rejected; None for a failure later.
        passed_on: gains of the screened candidates that were trained; None for a failure.
        bar: the gain from which on a candidate is among the best of the calibration set; None if that is too small.
        seeds: of a class in the mean, where there is a race; else None.
    """

    thresholds: tuple[float, ...] = ()
    compute: float = 1.0
    audited: int = 0
    missed: tuple[float | None, ...] = ()
    passed_on: tuple[float | None, ...] = ()
    bar: float | None = None
    seeds: float | None = None


@dataclass(frozen=True, slots=True)
class Best:
    """The class of highest gain so far."""

    expression: str
    gain: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a strategy is told of a proposal that was not trained.

    Args:
        expression: its text.
        gain: of its class, from the cohort that trained it; None where that failed, or a screen stopped the proposal.
        attributes: what the strategy gave with the proposal.
    """

    expression: str
    gain: float | None
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """A recorded cohort; runs of older versions lack what came later.

    Args:
        cohort: its number.
        trained: classes trained in the run, with this cohort.
        proposed: how many proposals it took.
        counts: what became of these.
        findings: on early rejection; None in old runs.
        rejected: how many were not trained to the end, by reason.
        front: members of the Pareto front.
        best: the class of highest gain, None before one is trained to the end.
        null_gains: of the null controls, NaN where one is not finite; only the first cohort has them.
        controls_sha256: of the controls' results.
        controls_repeat: these are the first cohort's, bit for bit.
        finished: by the clock; None in old runs.
        proposed_in: seconds of proposing and screening, NaN where they are not known.
        seconds: of training, by task.
        mixed: the candidate-trainings that the mixtures of the run count as, with this cohort's.
        by_torch: on how many tasks the candidates were trained by torch instead of the native engine, by reason.
        untrained: outcomes of the proposals that were not trained, where the strategy is told of them.
        journal_bytes, journal_sha256: length and hash of the journal.
    """

    cohort: int
    trained: int
    proposed: int
    counts: Counts
    findings: Findings | None
    rejected: Mapping[Reason, int]
    front: int
    best: Best | None
    null_gains: tuple[float, ...] = ()
    controls_sha256: str = ""
    controls_repeat: bool = True
    finished: datetime | None = None
    proposed_in: float = 0.0
    seconds: Mapping[str, float] = field(default_factory=dict)
    mixed: float = 0.0
    by_torch: Mapping[str, int] = field(default_factory=dict)
    untrained: tuple[Outcome, ...] = ()
    journal_bytes: int = 0
    journal_sha256: str = ""

    @property
    def spent(self) -> float:
        """How much of the budget is used up: classes trained, and what mixtures count as."""
        return self.trained + self.mixed


def spent(trace: Sequence[TraceEntry]) -> float:
    """How much of its budget a run has used up."""
    return trace[-1].spent if trace else 0.0
