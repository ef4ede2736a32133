"""The front as a picture: in the page, where its members can be chosen, and as a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evaluators.results.control_labels import label_of
from search.report.front_view import Mark, View
from search.report.members import FrontMember
from search.report.pictures.drawing import Frame, axes, frame, joined, level, picture
from search.report.pictures.sampling import shortened

_LEGEND = 30.0  # height of it
WIDE, NARROW = (720.0, 440.0), (360.0, 340.0)
_LETTER, _LINE, _LETTERS = 6.4, 12.0, 30  # of a label: width and height in the picture, and their number at most
_LABELLED = 16  # members with a label, those of highest gain


def front_picture(view: View, size: tuple[float, float] = WIDE, *, labels: bool = True) -> Markup:
    """Gain upwards; each member is a link to ``#member-ID`` with a formula that is read out.

    Args:
        view: what to show.
        size: width and height.
        labels: write formulas beside the members where there is room.
    """
    return picture(*size, _title(view), _body(view, size, labels), name="front")


def front_file(view: View, style: str) -> str:
    """The same as an SVG file, with a legend and colours for light and dark, for pages of others.

    Args:
        view: what to show.
        style: CSS with the colours and the classes of the pictures.
    """
    width, height = WIDE
    background = Markup('<rect class="paper" width="{}" height="{}"/>').format(width, height + _LEGEND)
    styled = Markup("<style>{}.paper {{ fill: var(--paper); }}</style>").format(Markup(style))
    body = styled + background + _body(view, WIDE, True, linked=False) + _legend(height + 6)
    return str(picture(width, height + _LEGEND, _title(view), body, name="front")) + "\n"


def _title(view: View) -> str:
    return f"The Pareto front: {view.y_label} against {view.x_label}"


def _legend(top: float) -> Markup:
    entries = (
        (58, "confirmed", Markup('<g class="member confirmed"><circle class="dot" cx="7" cy="7" r="5"/></g>')),
        (152, "other members of the front", Markup('<g class="member"><circle class="dot" cx="7" cy="7" r="5"/></g>')),
        (348, "controls", Markup('<path class="control" d="M7 2l5 5-5 5-5-5Z"/>')),
        (434, "other candidates", Markup('<path class="cloud" d="M3 8h0M10 5h0M8 10h0"/>')),
        (566, "null controls: noise", Markup('<rect class="nulls" width="14" height="14"/>')),
    )
    return joined(
        Markup('<g transform="translate({} {})">{}<text class="label" x="20" y="11">{}</text></g>').format(
            left, top, drawing, text
        )
        for left, text, drawing in entries
    )


def _body(view: View, size: tuple[float, float], labels: bool, *, linked: bool = True) -> Markup:
    panel = frame(*size, view.x_ends, view.y_ends, log_x=view.log_x)
    body = axes(panel, view.x_label, view.y_label, x_ticks=6)
    body += _nulls(panel, view.nulls) + (level(panel, 0.0, "relu") if view.zero else "")
    body += Markup('<path class="cloud" d="{}"/>').format(panel.dots(view.cloud))
    body += Markup('<path class="undrawn" d="{}"/>').format(panel.dots(view.undrawn))
    if view.stairs:
        body += Markup('<path class="stairs" d="{}"/>').format(_stairs(panel, view.marks))
    taken = [_around(panel, mark) for mark in (*view.marks, *view.controls)]
    body += joined(_control(panel, mark, taken) for mark in view.controls)
    by_id = {m.id: m for m in view.members}
    if labels:
        best = sorted(view.marks, key=lambda mark: -mark.y)[:_LABELLED]
        body += joined(_label(panel, mark, by_id[mark.name].short, taken) for mark in best)
    return body + joined(_member(panel, mark, by_id[mark.name], linked) for mark in view.marks)


def _nulls(panel: Frame, nulls: Sequence[float]) -> Markup:
    if not nulls:
        return Markup("")
    top, bottom = panel.y(max(nulls)), panel.y(min(nulls))
    return Markup('<rect class="nulls" x="{}" y="{:.1f}" width="{}" height="{:.1f}"/>').format(
        panel.x.start, top, panel.x.end - panel.x.start, max(1.0, bottom - top)
    )


def _stairs(panel: Frame, marks: Sequence[Mark]) -> str:
    """What can be had for at most a cost: up at each member, level up to the next one."""
    points: list[tuple[float, float]] = []
    for mark in sorted(marks, key=lambda mark: (mark.x, mark.y)):
        points += [(mark.x, points[-1][1] if points else mark.y), (mark.x, mark.y)]
    return panel.path([*points, (panel.x.high, points[-1][1])]) if points else ""


def _member(panel: Frame, mark: Mark, member: FrontMember, linked: bool) -> Markup:
    name, x, y = member.verdict.replace(" ", "-"), panel.x(mark.x), panel.y(mark.y)
    title = f"{member.short}: gain {mark.y:+.3f}, {member.verdict}"
    dot = Markup('<title>{}</title><circle class="dot" cx="{:.1f}" cy="{:.1f}" r="5.5"/>').format(title, x, y)
    if not linked:
        return Markup('<g class="member {}">{}</g>').format(name, dot)
    halo = Markup('<circle class="halo" cx="{:.1f}" cy="{:.1f}" r="13"/>').format(x, y)
    return Markup('<a class="member {}" href="#member-{id}" data-member="{id}" aria-label="{}">{}{}</a>').format(
        name, title, halo, dot, id=mark.name
    )


@dataclass(frozen=True, slots=True)
class _Box:
    """A rectangle that a label must not touch."""

    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: _Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def _around(panel: Frame, mark: Mark) -> _Box:
    x, y = panel.x(mark.x), panel.y(mark.y)
    return _Box(x - 7, y - 7, x + 7, y + 7)


def _control(panel: Frame, mark: Mark, taken: list[_Box]) -> Markup:
    x, y = panel.x(mark.x), panel.y(mark.y)
    point = Markup('<path class="control" d="M{:.1f} {:.1f}l5 5l-5 5l-5 -5Z"/>').format(x, y - 5)
    return point + _label(panel, mark, label_of(mark.name), taken)


def _label(panel: Frame, mark: Mark, text: str, taken: list[_Box]) -> Markup:
    """Above the point, beside or below it: the first place that is free; none if there is none."""
    shown = shortened(text.partition(";")[0], _LETTERS)  # without the initial values of parameters
    x, y, wide = panel.x(mark.x), panel.y(mark.y), _LETTER * len(shown)
    places = ((x - 7 - wide, y - 8), (x + 7, y - 8), (x - wide / 2, y - 11), (x - 10 - wide, y + 4), (x + 10, y + 4),
              (x + 7, y + 16), (x - wide / 2, y + 19), (x - 7 - wide, y + 16))  # fmt: skip
    for left, base in places:
        box = _Box(left, base - _LINE + 2, left + wide, base + 3)
        inside = box.left > panel.x.start and box.right < panel.x.end + 8 and panel.y.end < box.top
        if inside and box.bottom < panel.y.start and not any(box.touches(other) for other in taken):
            taken.append(box)
            return Markup('<text class="formula" x="{:.1f}" y="{:.1f}">{}</text>').format(left, base, shown)
    return Markup("")
