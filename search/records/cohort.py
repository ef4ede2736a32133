"""Records of a cohort, as proposed and as trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from evaluators.racing import Lap
from evaluators.rejection import Rung, Thresholds
from evaluators.results.reasons import Reason
from evaluators.results.records import CohortResult


class Exemption(StrEnum):
    """Why a candidate is trained to the end whatever its losses are."""

    WARM_UP = "warm-up"
    AUDIT = "audit"


class Passed(StrEnum):
    """What became of a proposal that no screen stopped."""

    ACCEPTED = "accepted"
    KNOWN = "known"


#: Why thresholds do not hold for a candidate: an exemption, or the screen that it failed and was passed on from.
WhyExempt = Exemption | Reason

#: How many proposals were accepted, known, or stopped by each screen.
Counts = Mapping[Passed | Reason, int]


@dataclass(frozen=True, slots=True)
class Planned:
    """A candidate of a cohort.

    Args:
        expression: its text.
        key: of its class.
        parents: ids of the candidates that it was made from.
        attributes: the strategy's own, as JSON's types.
        exemption: why it is trained to the end by rule, or None.
        passed_on: the screen that it failed, where the audit of the screens passed it on.
    """

    expression: str
    key: str
    parents: tuple[str, ...] = ()
    attributes: Mapping[str, object] = field(default_factory=dict)
    exemption: Exemption | None = None
    passed_on: Reason | None = None

    @property
    def exempt(self) -> WhyExempt | None:
        """Why thresholds do not hold for it. The screens' audit comes first: it is another population."""
        return self.passed_on or self.exemption


@dataclass(frozen=True, slots=True)
class Untrained:
    """A proposal that its cohort did not take.

    Args:
        expression: its text, as it was proposed.
        key: of its class, which was known; "" where a screen stopped it.
        attributes: the strategy's own, as JSON's types.
    """

    expression: str
    key: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A cohort as proposed.

    Args:
        number: of the cohort.
        proposals: the candidates.
        counts: what became of all proposals.
        thresholds: of early rejection, for all candidates that are not exempt.
        race: the laps on more seeds.
        mixed: the candidate-trainings that the mixtures count as which were trained to propose it.
        seconds: what it took to propose and to screen them, NaN where it is not known; nothing depends on it.
        untrained: the proposals that are no candidates, for strategies that are told of them.
    """

    number: int
    proposals: Sequence[Planned]
    counts: Counts
    thresholds: Thresholds = field(default_factory=dict)
    race: tuple[Lap, ...] = ()
    mixed: float = 0.0
    seconds: float = field(default=0.0, compare=False)
    untrained: tuple[Untrained, ...] = ()

    @property
    def expressions(self) -> tuple[str, ...]:
        """The candidates' texts."""
        return tuple(planned.expression for planned in self.proposals)


@dataclass(frozen=True, slots=True, eq=False)
class CohortRecord:
    """A finished cohort.

    Args:
        plan: as proposed.
        tasks: names, in the order of training.
        started, finished: by the clock, with a time zone.
        result: what the workers returned.
    """

    plan: Plan
    tasks: tuple[str, ...]
    started: datetime
    finished: datetime
    result: CohortResult

    @property
    def rungs(self) -> list[Rung]:
        """Task and step of each rung and end, in the order of training."""
        return rungs_of(self.tasks, self.result)


def rungs_of(tasks: Sequence[str], result: CohortResult) -> list[Rung]:
    """Task and step of each rung and end; the reference has reached all."""
    return [(task, step) for task in tasks for step in sorted(result.reference.losses.get(task, ()))]
