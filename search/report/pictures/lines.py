"""The smaller pictures: a rung's calibration, the best so far, the work by the clock."""

from __future__ import annotations

from markupsafe import Markup

from search.report.calibration import RungCalibration
from search.report.pictures.drawing import Points, axes, frame, level, picture
from search.report.progress import Timeline

_WIDTH, _HEIGHT = 400.0, 260.0
_UNITS = ((60.0, "seconds", 2.0), (1.0, "minutes", 120.0), (1 / 60, "hours", float("inf")))
_SHOWN = 0.02  # the share of the points at the lower end that may be drawn at the edge


def calibration_picture(rung: RungCalibration, unit: str = "nats") -> Markup:
    """Gain at a rung against gain at the end, one dot a candidate, with the threshold."""
    early, late = [x for x, _ in rung.points], [y for _, y in rung.points]
    panel = frame(_WIDTH, _HEIGHT, _ends(early), _ends(late))
    body = axes(panel, f"gain after {rung.step} steps ({unit})", f"gain at the end ({unit})")
    body += level(panel, 0.0, "relu") + Markup('<path class="cloud" d="{}"/>').format(panel.dots(rung.points))
    if rung.threshold is not None and panel.x.low < rung.threshold < panel.x.high:
        body += Markup('<line class="threshold" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}"/>').format(
            panel.y.end, panel.y.start, x=panel.x(rung.threshold)
        )
    return picture(_WIDTH, _HEIGHT, f"{rung.task}: gain after {rung.step} steps against gain at the end", body)


def best_picture(timeline: Timeline, label: str) -> Markup:
    """The best gain so far and each cohort's median, by the number of classes trained; ``label`` is the gain's."""
    gains = [y for _, y in (*timeline.best, *timeline.medians)]
    panel = frame(_WIDTH, _HEIGHT, (0.0, timeline.best[-1][0]), _ends(gains))
    body = axes(panel, "classes trained", label, x_ticks=4) + level(panel, 0.0, "relu")
    body += Markup('<path class="medians" d="{}"/><path class="best" d="{}"/>').format(
        panel.dots(timeline.medians), panel.path(_stairs(timeline.best))
    )
    return picture(_WIDTH, _HEIGHT, "Best gain so far and median gain of each cohort, by classes trained", body)


def clock_picture(timeline: Timeline) -> Markup:
    """Classes trained by the clock."""
    minutes = timeline.clock[-1][0]
    scale, unit = next((s, u) for s, u, most in _UNITS if minutes <= most)
    points = [(x * scale, y) for x, y in timeline.clock]
    panel = frame(_WIDTH, _HEIGHT, (0.0, points[-1][0]), (0.0, points[-1][1]))
    body = axes(panel, f"{unit} since the first cohort began", "classes trained", x_ticks=4)
    body += Markup('<path class="best" d="{}"/>').format(panel.path(points))
    return picture(_WIDTH, _HEIGHT, "Classes trained by the clock", body)


def _stairs(points: Points) -> list[tuple[float, float]]:
    corners = [points[0]]
    for x, y in points[1:]:
        corners += [(x, corners[-1][1]), (x, y)]
    return corners


def _ends(values: list[float]) -> tuple[float, float]:
    """From the lowest values but a few to the highest, with a margin."""
    if not values:
        return -1.0, 1.0
    ordered = sorted(values)
    low, high = ordered[int(_SHOWN * len(ordered))], ordered[-1]
    margin = 0.05 * (high - low)
    return low - margin, high + margin
