"""Record of a trained class, as a store keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluators.results.reasons import AnyReason
from evaluators.results.records import reference_name
from search.records.cohort import WhyExempt


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial.

    Args:
        id: cohort and slot, as in ``"12.7"``.
        expression: its text.
        key: of its class.
        parents: ids of the candidates that it was made from.
        reason: why it has no values, or None.
        failed_on: the task on which it was rejected or failed, or "".
        overflows_in: half-precision types in which it is not finite.
        gain_over: mean gain over each control that has a finite loss; empty if it failed.
        gains: over the reference, by task and seed, of which the better classes have more; empty if it failed.
        exempt: why it was trained to the end whatever its losses were, or None.
        relative_losses: of an exempt one: at each rung, infinite from a failure on; the last is the gain's negative.
            Empty where its training says nothing.
        objectives: by name, in the job's order; empty if it has a reason.
        attributes: the strategy's own, as JSON's types.
    """

    id: str
    expression: str
    key: str
    parents: tuple[str, ...] = ()
    reason: AnyReason | None = None
    failed_on: str = ""
    overflows_in: tuple[str, ...] = ()
    gain_over: Mapping[str, float] = field(default_factory=dict)
    gains: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    exempt: WhyExempt | None = None
    relative_losses: tuple[float, ...] = ()
    objectives: Mapping[str, float] = field(default_factory=dict)
    attributes: Mapping[str, object] = field(default_factory=dict)

    @property
    def gain(self) -> float | None:
        """Mean gain over the reference, however the job aggregates it; None if it failed."""
        return self.gain_over.get(reference_name(self.gain_over))

    @property
    def seeds(self) -> int:
        """How many seeds its gains stand on; 0 if it failed."""
        return max(map(len, self.gains.values()), default=0)

    @property
    def cohort(self) -> int:
        """The number of its cohort."""
        return int(self.id.partition(".")[0])

    @property
    def slot(self) -> int:
        """Its place in the cohort."""
        return int(self.id.partition(".")[2])
