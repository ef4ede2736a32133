"""Gains with their intervals, one row each, over the band that the null controls span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from search.report.drawing import Frame, Scale, joined, picture, shortened, tick_text
from search.report.members import Estimate

_WIDTH, _LEFT, _ROW, _BELOW = 400.0, 142.0, 24.0, 40.0
_LETTERS = 20  # of a label


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of the picture.

    Args:
        label: what it is.
        estimate: drawn as a dot with its interval; None draws ``note`` instead.
        filled: the dot is filled.
        other: a second number, drawn as a diamond.
        note: of a row without a number.
    """

    label: str
    estimate: Estimate | None
    filled: bool = True
    other: float | None = None
    note: str = ""


def interval_picture(bars: Sequence[Bar], title: str, label: str, nulls: Sequence[float] = ()) -> Markup:
    """Rows in the given order, gain to the right.

    Args:
        bars: at least one.
        title: is read out.
        label: of the axis.
        nulls: gains of the null controls; the band goes from the least to the largest.
    """
    numbers = [v for bar in bars for v in _numbers(bar)] + [0.0, *nulls]
    margin = 0.05 * (max(numbers) - min(numbers)) or 0.1
    bottom = 10.0 + _ROW * len(bars)
    panel = Frame(
        Scale(min(numbers) - margin, max(numbers) + margin, _LEFT, _WIDTH - 10.0),
        Scale(0.0, float(len(bars)), 10.0, bottom),
    )
    band = Markup("")
    if nulls:
        band = Markup('<rect class="nulls" x="{:.1f}" y="10" width="{:.1f}" height="{}"/>').format(
            panel.x(min(nulls)), max(1.0, panel.x(max(nulls)) - panel.x(min(nulls))), bottom - 10.0
        )
    rows = joined(_row(bar, panel, panel.y(n + 0.5)) for n, bar in enumerate(bars))
    body = band + _axis(panel, bottom, label) + rows
    return picture(_WIDTH, bottom + _BELOW, title, body, name="intervals")


def _numbers(bar: Bar) -> list[float]:
    found = [] if bar.estimate is None else [bar.estimate.mean, bar.estimate.low, bar.estimate.high]
    return [value for value in (*found, bar.other) if value is not None]


def _axis(panel: Frame, bottom: float, label: str) -> Markup:
    lines = joined(
        Markup('<line class="{}" x1="{x:.1f}" x2="{x:.1f}" y1="10" y2="{}"/>').format(
            "relu" if abs(v) < 1e-9 else "", bottom, x=panel.x(v)
        )
        for v in panel.x.ticks(4)
    )
    texts = joined(
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(panel.x(v), bottom + 15, tick_text(v))
        for v in panel.x.ticks(4)
    )
    return Markup(
        '<g class="grid">{}</g><g class="ticks">{}</g><text class="label" x="{}" y="{}" text-anchor="middle">{}</text>'
    ).format(lines, texts, (panel.x.start + panel.x.end) / 2, bottom + 32, label)


def _row(bar: Bar, panel: Frame, y: float) -> Markup:
    name = Markup('<text class="formula" x="{}" y="{:.1f}" text-anchor="end">{}<title>{}</title></text>').format(
        _LEFT - 8, y + 3.5, shortened(bar.label.partition(";")[0], _LETTERS), bar.label
    )
    e = bar.estimate
    if e is None:
        return name + Markup('<text class="note" x="{}" y="{:.1f}">{}</text>').format(_LEFT + 8, y + 3.5, bar.note)
    line = Markup("")
    if e.low is not None and e.high is not None:
        line = Markup('<line class="interval" x1="{:.1f}" x2="{:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>').format(
            panel.x(e.low), panel.x(e.high), y=y
        )
    dot = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4.5"/>').format(
        "mean" if bar.filled else "mean hollow", panel.x(e.mean), y
    )
    return name + line + dot + _diamond(bar.other, panel, y)


def _diamond(value: float | None, panel: Frame, y: float) -> Markup:
    if value is None:
        return Markup("")
    return Markup('<path class="other" d="M{:.1f} {:.1f}l4.5 4.5l-4.5 4.5l-4.5 -4.5Z"/>').format(
        panel.x(value), y - 4.5
    )
