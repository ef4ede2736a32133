"""A function's picture: value and derivative over the density of a standard normal input."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from markupsafe import Markup
from torch import Tensor

from primitives.expression.expression import Expression
from search.report.pictures.drawing import DIGIT, Frame, Points, Scale, joined, picture, tick_text
from search.report.pictures.sampling import Line, inputs, limits, lines_of, shortened, why_no_curve, with_gaps

END = 4.0
_EACH = 33  # of 4,000 points every 33rd is drawn: 122
_WIDTH, _LEFT = 300.0, 34.0  # room on the left: more where numbers are long
_VALUE, _SLOPE = (8.0, 128.0), (144.0, 216.0)  # top and bottom of the panels
_BOTTOM = 236.0
_LABELS = {"value": "f(x)", "slope": "f′(x)"}  # by the class of the line
_GATE_LABELS = {"value": "f(x, z)", "slope": "slope by x"}


def curve_picture(function: Expression) -> Markup:
    """f and, below it, f' on [-4, 4] at the initial parameters; behind both the density of a standard normal input.

    A gate has a line for each of some z, the fainter the smaller; ``layers(...)`` a picture for each of its functions.
    Of a layer with statistics it is said why there is none.
    """
    count = len(function.parts)
    if count == 1:
        return _picture_of(function.parts[0])
    return joined(
        Markup('<p class="small">{} of {}: {}</p>{}').format(number, count, shortened(part.text, 80), _picture_of(part))
        for number, part in enumerate(function.parts, 1)
    )


def _picture_of(function: Expression) -> Markup:
    if why := why_no_curve(function):
        return Markup('<p class="small">There is no picture: {}.</p>').format(why)
    x = inputs(END)
    lines = lines_of(function, x)
    values, slopes = torch.stack([each.value for each in lines]), torch.stack([each.slope for each in lines])
    panels = [(y, Scale(*limits(x, y), bottom, top)) for y, (top, bottom) in ((values, _VALUE), (slopes, _SLOPE))]
    widest = max(len(tick_text(v)) for _, up in panels for v in up.ticks(3))
    across = Scale(-END, END, max(_LEFT, 6.0 + DIGIT * widest), _WIDTH - 8.0)
    ticks = joined(
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(across(v), _BOTTOM - 6, tick_text(v))
        for v in (-4, -2, 0, 2, 4)
    )
    labels = _LABELS if len(lines) == 1 else {name: f"{text}, {_second(lines)}" for name, text in _GATE_LABELS.items()}
    drawn = joined(
        _panel(x, y, Frame(across, up), name, label)
        for (y, up), (name, label) in zip(panels, labels.items(), strict=True)
    )
    body = Markup('{}<g class="ticks">{}</g>').format(drawn, ticks)
    title = f"Value and derivative of {shortened(function.text, 80)} between -4 and 4"
    return picture(_WIDTH, _BOTTOM, title, body, name="curve")


def _second(lines: Sequence[Line]) -> str:
    """``"z = -1, 0.5, 1, 2"``."""
    return "z = " + ", ".join(line.label.removeprefix("z = ").replace("-", "−") for line in lines)


def _panel(x: Tensor, y: Tensor, panel: Frame, name: str, text: str) -> Markup:
    """The lines of values, or of slopes, (lines, points)."""
    across, (low, high, bottom, top) = panel.x, (panel.y.low, panel.y.high, panel.y.start, panel.y.end)
    # a nested svg cuts off what is beyond its box; a path may leave it by up to three times its height
    wide = Frame(
        across, Scale(low - 3 * (high - low), high + 3 * (high - low), 4 * bottom - 3 * top, 4 * top - 3 * bottom)
    )
    lines = joined(
        Markup('<path class="{}" d="{}"{}/>').format(name, wide.path(_thinned(x, with_gaps(row, high - low))), faint)
        for row, faint in zip(y, _opacities(len(y)), strict=True)
    )
    box = Markup('<svg x="{x}" y="{y}" width="{w}" height="{h}" viewBox="{x} {y} {w} {h}">').format(
        x=across.start, y=top, w=across.end - across.start, h=bottom - top
    )
    zero = Markup('<line class="zero" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(across(0.0), top, bottom)
    if low < 0 < high:
        zero += Markup('<line class="zero" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>').format(
            across.start, across.end, y=panel.y(0.0)
        )
    ticks = joined(
        Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
            across.start - 4, panel.y(v) + 3.5, tick_text(v)
        )
        for v in panel.y.ticks(3)
    )
    x_label, anchor = (
        (across.end - 5, "end") if y[-1, 0] > (low + high) / 2 else (across.start + 5, "start")
    )  # beside the line
    label = Markup('<text class="note" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        x_label, top + 11, anchor, text
    )
    return Markup('{}<path class="density" d="{}"/>{}{}{}</svg><g class="ticks">{}</g>').format(
        box, _density(across, top, bottom), zero, label, lines, ticks
    )


def _opacities(count: int) -> list[Markup]:
    """Attributes of some lines of one kind: the last one is the strongest, and one alone has none."""
    return (
        [Markup("")]
        if count == 1
        else [Markup(' stroke-opacity="{:.2f}"').format(0.4 + 0.6 * n / (count - 1)) for n in range(count)]
    )


def _thinned(x: Tensor, y: Tensor) -> Points:
    """Every 33rd point, the last one, and those beside a gap."""
    finite = y.isfinite()
    keep = torch.zeros_like(finite)
    keep[::_EACH] = True
    keep[-1] = True
    edge = finite[1:] != finite[:-1]
    keep[1:] |= edge
    keep[:-1] |= edge
    return list(zip(x[keep].tolist(), y[keep].tolist(), strict=True))


def _density(across: Scale, top: float, bottom: float) -> str:
    """The density of a standard normal, filled; its peak is at 60 % of the height."""
    panel = Frame(across, Scale(0.0, 1.0, bottom, top))
    steps = [END * n / 20 for n in range(-20, 21)]
    return panel.path([(-END, 0.0), *((x, 0.6 * math.exp(-x * x / 2)) for x in steps), (END, 0.0)]) + "Z"
