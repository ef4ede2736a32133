"""The confirmation as the report shows it; keys that a run does not have are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from primitives.builtin import as_builtin
from primitives.parsing import parse
from search.confirmation import ordered
from search.report.facts import Facts, Row
from search.report.members import Estimate, verdict


@dataclass(frozen=True, slots=True)
class Finalist:
    """A finalist on fresh seeds.

    Args:
        id: of the candidate.
        expression: its text.
        short: the built-in of torch that it equals, or its text.
        verdict: ``confirmed``, ``open`` or ``failed``.
        reason: why it failed.
        found: gain over ReLU in the search.
        expected: the same without the winner's curse.
        over: gain over each control, each at its best learning rate.
        drop_in: the same with the candidate at the control's learning rate; may be empty.
        by_task: gain over ReLU on each task.
        unseen: gain over ReLU on tasks that were not searched; may be empty.
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
    expected: float | None
    over: Mapping[str, Estimate]
    drop_in: Mapping[str, Estimate]
    by_task: Mapping[str, Estimate]
    unseen: Mapping[str, Estimate]
    p: float | None
    best_control: str
    short_form_of: str
    cost: float | None
    time: float | None


def finalists(facts: Facts) -> list[Finalist]:
    """Best in the search first, each short form behind its function."""
    return [_finalist(row, facts.timing) for row in ordered(facts.finalists)]


def setting(facts: Facts) -> str:
    """On what they were trained."""
    told = (facts.confirmation or {}).get("setting", {})
    seeds = f"on {told['seeds']} fresh seeds" if "seeds" in told else "on fresh seeds"
    networks = ", ".join(map(str, told.get("networks", {}).values()))
    return f"{seeds} and held-out data" + (f", with the networks {networks}" if networks else "")


def _finalist(row: Row, timing: Mapping[str, float]) -> Finalist:
    text, name = str(row.get("expression", "")), str(row.get("id", ""))
    return Finalist(
        id=name,
        expression=text,
        short=as_builtin(parse(text)).text if text else "",
        verdict=verdict(row),
        reason=str(row.get("reason", "")),
        found=row.get("search_gain"),
        expected=row.get("shrunk_gain"),
        over=_estimates(row.get("gains")),
        drop_in=_estimates(row.get("drop_in")),
        by_task=_estimates(row.get("by_task")),
        unseen=_estimates(row.get("unseen")),
        p=row.get("p_holm"),
        best_control=str(row.get("best_control", "")),
        short_form_of=str(row.get("of") or ""),
        cost=row.get("cost"),
        time=timing.get(name),
    )


def _estimates(values: Any) -> dict[str, Estimate]:
    """Numbers, or means with their intervals; what is neither is left out."""
    pairs = values.items() if isinstance(values, dict) else ()
    return {str(name): found for name, value in pairs if (found := _estimate(value))}


def _estimate(value: Any) -> Estimate | None:
    if isinstance(value, int | float):
        return Estimate(float(value))
    if not isinstance(value, dict) or not isinstance(value.get("mean"), int | float):
        return None
    low, high = value.get("interval") or (None, None)
    return Estimate(float(value["mean"]), low, high)
