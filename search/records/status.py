"""Status: how far a run is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.config import Config
from search.confirmation import Confirmation
from search.engine.funnel_counts import FunnelCounts
from search.engine.rejection import Summary, summary
from search.records.trace_entry import Best, TraceEntry


@dataclass(frozen=True, slots=True)
class Status:
    """A run so far.

    Args:
        run: path of the folder.
        trained: classes.
        budget: of the job.
        known_functions: that are trained, before the search and outside the budget.
        cohorts: recorded.
        funnel: where the candidates went.
        rejection: what early rejection and the audits came to.
        best: the class of highest gain, or None.
        front: members of the Pareto front.
        controls_repeat: the controls repeated their losses bit for bit.
        confirmed: finalists that were confirmed, they or their short forms; None if this search has no confirmation.
        conditions: what the weights begin as and the scale of candidates, in words.
    """

    run: str
    trained: int
    budget: int
    known_functions: int
    cohorts: int
    funnel: FunnelCounts
    rejection: Summary
    best: Best | None
    front: int
    controls_repeat: bool
    confirmed: int | None
    conditions: str


def status_of(
    run: str, config: Config, trace: Sequence[TraceEntry], confirmation: Confirmation | None, known: int = 0
) -> Status:  # fmt: skip
    """The status by the lines of the trace.

    A confirmation of a search that was continued since is none of this one.
    """
    last = trace[-1] if trace else None
    trained = last.trained if last else 0
    current = confirmation is not None and confirmation.trained == trained
    return Status(
        run=run,
        trained=trained,
        budget=config.budget,
        known_functions=known,
        cohorts=len(trace),
        funnel=FunnelCounts.of(trace),
        rejection=summary(trace),
        best=last.best if last else None,
        front=last.front if last else 0,
        controls_repeat=all(entry.controls_repeat for entry in trace),
        confirmed=len(confirmation.confirmed) if confirmation and current else None,
        conditions=config.conditions_in_words,
    )
