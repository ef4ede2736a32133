"""The finalists, as the report shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from evaluators.results.records import reference_name
from primitives.equivalence.builtin import as_builtin
from primitives.expression.parsing import parse
from search.confirmation import Estimate
from search.confirmation.record import Compared, OnTask, Over, Readings
from search.report.members import verdict
from search.report.run_data import RunData

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finalist:
    """A finalist on fresh seeds.

    Args:
        id: of the candidate.
        expression: its text.
        short: the built-in of torch that it equals, or its text.
        verdict: ``confirmed``, ``open`` or ``failed``.
        reason: why it failed.
        found: gain over the reference in the search.
        expected: what that led to expect, without the winner's curse.
        over: gain over each control, each at its best learning rate.
        drop_in: the same with the candidate at the control's learning rate; empty where that is always its own.
        by_task: gain over the reference on each task.
        on_task: gain over the best control and the verdict on each task alone; may be empty.
        unseen: gain over the best control on tasks that were not searched; may be empty.
        readings: by label of the task and name, such as its accuracy on test examples; may be empty.
        p: corrected by Holm; None if it was not computed.
        best_control: that p is about.
        short_form_of: the finalist whose short form this is, or "".
        cost: in ReLUs.
        time: measured, in ReLUs; None if it was not.
    """

    id: str
    expression: str
    short: str
    verdict: str
    reason: str
    found: float | None
    expected: Estimate | None
    over: Mapping[str, Estimate]
    drop_in: Mapping[str, Estimate]
    by_task: Mapping[str, Estimate]
    on_task: Mapping[str, OnTask]
    unseen: Mapping[str, Over]
    readings: Readings
    p: float | None
    best_control: str
    short_form_of: str
    cost: float | None
    time: float | None

    @property
    def confirmed_on(self) -> int:
        """The number of tasks on which it is confirmed."""
        return sum(1 for each in self.on_task.values() if each.confirmed)

    @property
    def fresh(self) -> Estimate | None:
        """The gain over the reference on fresh seeds; None if it failed."""
        return self.over.get(reference_name(self.over))


def finalists(run_data: RunData) -> list[Finalist]:
    """Best in the search first, each short form behind its function."""
    drop_in = run_data.confirmation is not None and run_data.confirmation.several_rates
    return [_finalist(row, run_data.timing, drop_in=drop_in) for row in run_data.tested]


def setting(run_data: RunData) -> str:
    """On what they were trained."""
    if run_data.confirmation is None:
        return "on fresh seeds and held-out data"
    told = run_data.confirmation.setting
    networks = ", ".join(told.networks.values())
    return f"on {told.seeds} fresh seeds and held-out data, with the networks {networks}"


def _finalist(row: Compared, timing: Mapping[str, float], *, drop_in: bool) -> Finalist:
    f, v = row.finalist, row.verdict
    return Finalist(
        id=f.id,
        expression=f.expression,
        short=as_builtin(parse(f.expression)).text,
        verdict=verdict(row),
        reason=v.reason,
        found=f.search_gain,
        expected=f.expected,
        over=v.gains,
        drop_in=_known(v.drop_in) if drop_in else {},
        by_task=_known(v.by_task),
        on_task=_known(v.on_task),
        unseen=_known(row.unseen),
        readings=v.readings,
        p=v.p_holm,
        best_control=v.best_control or "",
        short_form_of=f.of or "",
        cost=f.cost,
        time=timing.get(f.id),
    )


def _known(estimates: Mapping[str, T | None]) -> dict[str, T]:
    """Without those that failed."""
    return {name: estimate for name, estimate in estimates.items() if estimate}
