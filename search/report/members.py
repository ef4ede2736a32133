"""The members of the front, with what the report shows of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from primitives.catalogue import known_name
from primitives.equivalence.builtin import as_builtin
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.user_file import label
from search.confirmation import Estimate
from search.confirmation.record import Compared
from search.records.class_row import ClassRow, best_of
from search.report.run_data import Candidate, RunData

MOST = 48  #: members drawn; many objectives can have a front of hundreds


@dataclass(frozen=True, slots=True)
class FrontMember:
    """A member of the front.

    Args:
        candidate: as it was trained.
        row: of ``front.csv``.
        function: the expression.
        short: the built-in of torch that it equals, or its text.
        known: what the catalogue knows it as, or "".
        verdict: of the confirmation: ``confirmed``, ``open``, ``failed``, or ``not tested``.
        by_task: gain over the reference in the search, by label of the task.
    """

    candidate: Candidate
    row: ClassRow
    function: Expression
    short: str
    known: str
    verdict: str
    by_task: Mapping[str, Estimate]

    @property
    def id(self) -> str:
        """Cohort and slot."""
        return self.candidate.id

    @property
    def gain(self) -> float:
        """Gain in the search, in nats; 0 without one."""
        return self.row.gain or 0.0


def members(run_data: RunData) -> list[FrontMember]:
    """At most 48 of the front, cheapest first: finalists, the best, and the others evenly by cost."""
    by_id = {c.id: c for c in run_data.candidates}
    verdicts = {row.finalist.id: verdict(row) for row in run_data.finalists}
    return [
        _member(by_id[row.id], row, verdicts.get(row.id, "not tested"), exact=run_data.config.exact)
        for row in _drawn(run_data.front, set(verdicts))
    ]


def _drawn(front: Sequence[ClassRow], finalists: set[str]) -> list[ClassRow]:
    if len(front) <= MOST:
        return list(front)
    wanted = {best_of(front).id} | finalists
    others = [row for row in front if row.id not in wanted]
    places = np.linspace(0, len(others) - 1, max(0, MOST - len(wanted))).round().astype(int)
    wanted |= {others[place].id for place in places}
    return [row for row in front if row.id in wanted]


def _member(candidate: Candidate, row: ClassRow, verdict: str, *, exact: bool) -> FrontMember:
    function = parse(candidate.expression)
    match = known_name(function, input_shift=True)
    return FrontMember(
        candidate=candidate,
        row=row,
        function=function,
        short=as_builtin(function).text,
        known=f"{match.name} ({match.said(factor=exact)})" if match else "",
        verdict=verdict,
        by_task={label(name): Estimate.of(gains) for name, gains in candidate.trial.gains.items()},
    )


def verdict(row: Compared) -> str:
    """Of a finalist: ``confirmed``, ``failed`` or, as long as it is neither, ``open``."""
    if not row.verdict.gains:
        return "failed"
    return "confirmed" if row.verdict.confirmed else "open"
