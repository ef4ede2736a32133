"""View of a front: gain against one other objective, for the front and for all other candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.controls import CONTROLS_OF, more_controls
from evaluators.objectives import cost, objective
from evaluators.results.records import reference_name
from primitives.expression.parsing import parse
from search.report.members import FrontMember
from search.report.pictures.drawing import Points
from search.report.run_data import RunData

_ORDER = "order"
_LOWEST, _LARGEST = 0.1, 0.98  # quantiles: below and beyond there is little to see, and much room would go
_BUILTIN = {name: text for texts in CONTROLS_OF.values() for name, text in texts.items()}
_LONG = 8.0  # ratio of the ends from which on a scale is logarithmic


@dataclass(frozen=True, slots=True)
class Mark:
    """A named point."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class View:
    """A picture's content in numbers.

    Args:
        x_label, y_label: of the axes, with units.
        x_ends, y_ends: limits of the axes.
        log_x: the horizontal scale is logarithmic.
        cloud: candidates that are trained to the end, within the limits.
        outside: how many of them are not.
        undrawn: members of the front that have no place among ``marks``.
        marks: the members that can be chosen; the names are ids.
        members: the same, with what is said of them.
        controls: those that are functions, where their place is known.
        stairs: the front is a line: there are two objectives.
        nulls: gains of the null controls.
        zero: a gain of 0 is the reference's.
    """

    x_label: str
    y_label: str
    x_ends: tuple[float, float]
    y_ends: tuple[float, float]
    log_x: bool
    cloud: Points
    outside: int
    undrawn: Points
    marks: Sequence[Mark]
    members: Sequence[FrontMember]
    controls: Sequence[Mark]
    stairs: bool
    nulls: Sequence[float]
    zero: bool


def gain_label(run_data: RunData) -> str:
    """The gain with its unit, as the job aggregates it."""
    return {
        "mean": f"gain over {run_data.reference} ({run_data.unit})",
        "minimum": f"gain over {run_data.reference}, smallest of the tasks ({run_data.unit})",
        "rank": "gain (rank among its cohort)",
    }[run_data.config.aggregate]


def views(run_data: RunData, members: Sequence[FrontMember]) -> list[View]:
    """One for each objective beside the gain; with the gain alone, one by the order of training."""
    others = run_data.config.scoring.objectives[1:] or (_ORDER,)
    return [_view(run_data, members, name) for name in others]


def _view(run_data: RunData, members: Sequence[FrontMember], name: str) -> View:
    values = _values(run_data, name)
    points = {c.id: (values[c.id], c.gain) for c in run_data.candidates if c.gain is not None and c.id in values}
    front = {row.id for row in run_data.front}
    chosen = {m.id for m in members}
    controls = _controls(run_data) if name == "cost" else []
    nulls = null_gains(run_data) if run_data.config.aggregate == "mean" else []
    x_ends, y_ends, log_x = _ends(points, front, controls, nulls)
    others = [p for i, p in points.items() if i not in front]
    cloud = [(x, y) for x, y in others if x_ends[0] <= x <= x_ends[1] and y >= y_ends[0]]
    return View(
        x_label=_label(name),
        y_label=gain_label(run_data),
        x_ends=x_ends,
        y_ends=y_ends,
        log_x=log_x,
        cloud=cloud,
        outside=len(others) - len(cloud),
        undrawn=[points[i] for i in front - chosen if i in points],
        marks=[Mark(m.id, *points[m.id]) for m in members if m.id in points],
        members=members,
        controls=controls,
        stairs=len(run_data.config.objectives) == 2 and objective(name).direction == "minimize",
        nulls=nulls,
        zero=run_data.config.aggregate != "rank",
    )


def _label(name: str) -> str:
    return "order of training" if name == _ORDER else f"{name.replace('_', ' ')} ({objective(name).unit})"


def _values(run_data: RunData, name: str) -> dict[str, float]:
    if name == _ORDER:
        return {c.id: float(n) for n, c in enumerate(run_data.candidates, start=1)}
    return {c.id: c.objectives[name] for c in run_data.candidates if name in c.objectives}


def null_gains(run_data: RunData) -> list[float]:
    """Of the search: what the noise alone gives."""
    return [value for value in (run_data.trace[0].null_gains if run_data.trace else ()) if math.isfinite(value)]


def _controls(run_data: RunData) -> list[Mark]:
    """The controls repeat from cohort to cohort, so that any candidate tells where they are."""
    over = next((c.trial.gain_over for c in run_data.candidates if c.trial.gain_over), None)
    if over is None or run_data.config.aggregate != "mean":
        return []
    return [
        Mark(name, cost(parse(text)), over[reference_name(over)] - over[name])
        for name, text in (_BUILTIN | dict(more_controls(run_data.config.controls))).items()
        if name in over
    ]


def _ends(
    points: dict[str, tuple[float, float]], front: set[str], controls: Sequence[Mark], nulls: Sequence[float]
) -> tuple[tuple[float, float], tuple[float, float], bool]:
    """Limits that have all of the front, the controls, and most of the others."""
    shown = [points[i] for i in front if i in points] + [(c.x, c.y) for c in controls]
    if not shown:
        return (0.0, 1.0), (-1.0, 1.0), False
    xs, ys = sorted(x for x, _ in points.values()), sorted(y for _, y in points.values())
    low = min([0.0, _quantile(ys, _LOWEST), *nulls, *(y for _, y in shown)])
    high = max([0.0, ys[-1], *nulls, *(y for _, y in shown)])
    left = min(xs[0], *(x for x, _ in shown))
    right = max(_quantile(xs, _LARGEST), *(x for x, _ in shown))
    log_x = left > 0 and right / left > _LONG
    margin = 0.06 * (high - low)
    return _widened(left, right, log_x), (low - margin, high + margin), log_x


def _widened(left: float, right: float, log_x: bool) -> tuple[float, float]:
    if log_x:
        factor = (right / left) ** 0.04
        return left / factor, right * factor
    margin = 0.05 * (right - left)
    return left - margin, right + margin


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.floor(share * len(ordered)))]
