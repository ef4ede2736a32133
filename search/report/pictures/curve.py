"""A function's picture: value and derivative over the density of a standard normal input."""

from __future__ import annotations

import math

import torch
from markupsafe import Markup
from torch import Tensor

from primitives.expression.expression import Expression
from search.report.pictures.drawing import DIGIT, Frame, Points, Scale, joined, picture, tick_text
from search.report.pictures.sampling import limits, shortened, value_and_slope, with_gaps

END = 4.0
_EACH = 33  # of 4,000 points every 33rd is drawn: 122
_WIDTH, _LEFT = 300.0, 34.0  # room on the left: more where numbers are long
_VALUE, _SLOPE = (8.0, 128.0), (144.0, 216.0)  # top and bottom of the panels
_BOTTOM = 236.0
_LABELS = {"value": "f(x)", "slope": "f′(x)"}  # by the class of the line


def curve_picture(function: Expression) -> Markup:
    """f and, below it, f' on [-4, 4] at the initial parameters; behind both the density of a standard normal input."""
    x, value, slope = value_and_slope(function, END)
    panels = [(y, Scale(*limits(x, y), bottom, top)) for y, (top, bottom) in ((value, _VALUE), (slope, _SLOPE))]
    widest = max(len(tick_text(v)) for _, up in panels for v in up.ticks(3))
    across = Scale(-END, END, max(_LEFT, 6.0 + DIGIT * widest), _WIDTH - 8.0)
    ticks = joined(
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(across(v), _BOTTOM - 6, tick_text(v))
        for v in (-4, -2, 0, 2, 4)
    )
    drawn = joined(_panel(x, y, Frame(across, up), name) for (y, up), name in zip(panels, _LABELS, strict=True))
    body = Markup('{}<g class="ticks">{}</g>').format(drawn, ticks)
    title = f"Value and derivative of {shortened(function.text, 80)} between -4 and 4"
    return picture(_WIDTH, _BOTTOM, title, body, name="curve")


def _panel(x: Tensor, y: Tensor, panel: Frame, name: str) -> Markup:
    across, (low, high, bottom, top) = panel.x, (panel.y.low, panel.y.high, panel.y.start, panel.y.end)
    # a nested svg cuts off what is beyond its box; a path may leave it by up to three times its height
    wide = Frame(
        across, Scale(low - 3 * (high - low), high + 3 * (high - low), 4 * bottom - 3 * top, 4 * top - 3 * bottom)
    )
    shown = _thinned(x, with_gaps(y, high - low))
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
        (across.end - 5, "end") if y[0] > (low + high) / 2 else (across.start + 5, "start")
    )  # beside the line
    label = Markup('<text class="note" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        x_label, top + 11, anchor, _LABELS[name]
    )
    return Markup('{}<path class="density" d="{}"/>{}{}<path class="{}" d="{}"/></svg><g class="ticks">{}</g>').format(
        box, _density(across, top, bottom), zero, label, name, wide.path(shown), ticks
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
