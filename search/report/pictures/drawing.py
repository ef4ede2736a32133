"""Shared by all pictures: scales, ticks, axes. Text is escaped wherever it is set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

Points = Sequence[tuple[float, float]]

_STEPS = (1.0, 2.0, 5.0, 10.0)
DIGIT = 6.2  #: width of a tick's letter
_NONE = Markup("")


@dataclass(frozen=True, slots=True)
class Scale:
    """A map from values to places on a picture.

    Args:
        low, high: the values at the ends.
        start, end: the places.
        logarithmic: for values above 0.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The place; values beyond the ends are drawn at the ends."""
        value = min(max(value, self.low), self.high)
        low, high, value = (math.log(v) if self.logarithmic else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values between the ends, about so many."""
        return _decades(self.low, self.high) if self.logarithmic else _round_steps(self.low, self.high, about)


def _round_steps(low: float, high: float, about: int) -> list[float]:
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in _STEPS if s * power >= 0.75 * rough)
    return [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20, ...; only powers of ten where the range is long."""
    steps = _STEPS[:3] if high / low < 1e3 else _STEPS[:1]
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [v for e in exponents for s in steps if low <= (v := s * 10.0**e) <= high]


def tick_text(value: float) -> str:
    """A tick as short as it can be, with a true minus sign."""
    value = round(value, 10) + 0.0
    return f"{value:,.6g}".replace("-", "−") if abs(value) < 1e7 else f"{value:.0e}"


@dataclass(frozen=True, slots=True)
class Frame:
    """Two scales that span a picture's panel."""

    x: Scale
    y: Scale

    def path(self, points: Points) -> str:
        """A line through points as an SVG path; it is broken where a value is not finite."""
        pieces, pen = [], "M"
        for x, y in points:
            if math.isfinite(x) and math.isfinite(y):
                pieces.append(f"{pen}{self.x(x):.1f} {self.y(y):.1f}")
                pen = "L"
            else:
                pen = "M"
        return "".join(pieces)

    def dots(self, points: Points) -> str:
        """Points as one SVG path of strokes without length, each place once; drawn with round ends they are dots."""
        places = dict.fromkeys(f"M{self.x(x):.1f} {self.y(y):.1f}h0" for x, y in points)
        return "".join(places)


def frame(width: float, height: float, x: tuple[float, float], y: tuple[float, float], *, log_x: bool = False) -> Frame:
    """A panel with room for ticks and labels on the left and below."""
    up = Scale(*_apart(y), height - 40.0, 12.0)
    left = 34.0 + DIGIT * max(len(tick_text(value)) for value in up.ticks())
    return Frame(Scale(*_apart(x), left, width - 12.0, log_x), up)


def _apart(ends: tuple[float, float]) -> tuple[float, float]:
    low, high = ends
    return (low, high) if high - low > 1e-9 * max(1.0, abs(low)) else (low - 0.5, high + 0.5)


def axes(panel: Frame, x_label: str, y_label: str, *, x_ticks: int = 5, y_ticks: int = 5) -> Markup:
    """Grid, ticks and labels of a panel."""
    left, right, bottom, top = panel.x.start, panel.x.end, panel.y.start, panel.y.end
    lines = joined(
        Markup('<line x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(panel.x(v), top, bottom)
        for v in panel.x.ticks(x_ticks)
    ) + joined(
        Markup('<line x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>').format(left, right, panel.y(v))
        for v in panel.y.ticks(y_ticks)
    )
    texts = joined(
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(panel.x(v), bottom + 15, tick_text(v))
        for v in _spaced(panel.x, panel.x.ticks(x_ticks))
    ) + joined(
        Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(left - 6, panel.y(v) + 3.5, tick_text(v))
        for v in panel.y.ticks(y_ticks)
    )
    labels = Markup(
        '<text class="label" x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
        '<text class="label" transform="translate(13 {:.1f}) rotate(-90)" text-anchor="middle">{}</text>'
    ).format((left + right) / 2, bottom + 32, x_label, (top + bottom) / 2, y_label)
    return Markup('<g class="grid">{}</g><g class="ticks">{}</g>{}').format(lines, texts, labels)


def _spaced(scale: Scale, ticks: Sequence[float]) -> list[float]:
    """Those ticks whose texts do not touch the one before."""
    kept, end = [], -math.inf
    for value in ticks:
        half = DIGIT * len(tick_text(value)) / 2 + 3
        if scale(value) - half > end:
            kept.append(value)
            end = scale(value) + half
    return kept


def level(panel: Frame, value: float, name: str) -> Markup:
    """A horizontal line at a value, if that is in the panel."""
    if not panel.y.low <= value <= panel.y.high:
        return _NONE
    return Markup('<line class="{}" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>').format(
        name, panel.x.start, panel.x.end, y=panel.y(value)
    )


def picture(width: float, height: float, title: str, body: Markup, *, name: str = "") -> Markup:
    """An SVG with a title that is read out."""
    return Markup(
        '<svg class="chart {}" viewBox="0 0 {} {}" role="img" aria-label="{}" xmlns="http://www.w3.org/2000/svg">'
        "{}</svg>"
    ).format(name, width, height, title, body)


def joined(parts: Iterable[Markup]) -> Markup:
    """One piece after the other."""
    return _NONE.join(parts)
