"""Gains with their intervals, one row each, over the band that the null controls span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from search.confirmation import Estimate
from search.report.pictures.drawing import Frame, Scale, joined, picture, tick_text
from search.report.pictures.sampling import shortened

_WIDTH, _LEFT, _ROW, _BELOW = 400.0, 142.0, 24.0, 40.0
_LETTERS = 20  # of a label


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of the picture.

    Args:
        label: what it is.
        searched: what the search saw, drawn as a diamond.
        fresh: on fresh seeds, drawn as a dot.
        filled: the dot is filled.
        note: of a row without the one that the picture is about.
    """

    label: str
    searched: Estimate | None = None
    fresh: Estimate | None = None
    filled: bool = True
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
    """What the axis must show; not the ends of the search, of two seeds 9 standard deviations off the mean."""
    searched = [bar.searched.mean] if bar.searched else []
    fresh = [bar.fresh.mean, bar.fresh.low, bar.fresh.high] if bar.fresh else []
    return [*searched, *(value for value in fresh if value is not None)]


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
    if bar.note:
        return name + Markup('<text class="note" x="{}" y="{:.1f}">{}</text>').format(_LEFT + 8, y + 3.5, bar.note)
    return name + _diamond(bar.searched, panel, y) + _dot(bar, panel, y)


def _diamond(e: Estimate | None, panel: Frame, y: float) -> Markup:
    if e is None:
        return Markup("")
    shape = Markup('<path class="searched" d="M{:.1f} {:.1f}l4.5 4.5l-4.5 4.5l-4.5 -4.5Z"/>')
    return _line(e, "interval searched", panel, y) + shape.format(panel.x(e.mean), y - 4.5)


def _dot(bar: Bar, panel: Frame, y: float) -> Markup:
    if bar.fresh is None:
        return Markup("")
    shape = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4.5"/>')
    name = "mean" if bar.filled else "mean hollow"
    return _line(bar.fresh, "interval", panel, y) + shape.format(name, panel.x(bar.fresh.mean), y)


def _line(e: Estimate, name: str, panel: Frame, y: float) -> Markup:
    if e.low is None or e.high is None:
        return Markup("")
    return Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>').format(
        name, panel.x(e.low), panel.x(e.high), y=y
    )
