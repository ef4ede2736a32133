"""A function's profile as one picture: a row of intervals for each side."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from math import isfinite
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluators.profile import Profile
from evaluators.profile.measure import REFERENCE
from primitives.errors import ActsearchError, nearest
from primitives.quoting import quoted
from primitives.user_file import is_reference, label
from search.storage.files import write_atomically

SUFFIXES = (".svg", ".png", ".pdf")

_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00")  # of Okabe and Ito's palette
_WIDTH, _ROW, _MARGIN = 7.0, 0.42, 1.0  # inches


def check_path(path: Path) -> None:
    """Refuse a file that cannot be drawn to, before anything is trained.

    Raises:
        ActsearchError: the suffix is not .svg, .png or .pdf, or there is no such folder.
    """
    if path.suffix not in SUFFIXES:
        hint = nearest(path.suffix, SUFFIXES)
        raise ActsearchError(f"cannot draw to {quoted(str(path))}: the name must end in {', '.join(SUFFIXES)}{hint}")
    if not os.path.isdir(path.parent):
        raise ActsearchError(f"cannot draw to {quoted(str(path))}: there is no folder {quoted(str(path.parent))}")


def draw_profile(profiles: Sequence[Profile], names: Mapping[str, str], path: Path) -> None:
    """Write the picture; the file is whole or not there.

    Raises:
        ActsearchError: see :func:`check_path`.
    """
    check_path(path)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "actsearch", "font.size": 8.0, "axes.linewidth": 0.6}):
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix, {})
        figure(profiles, names).savefig(buffer, format=path.suffix[1:], dpi=150, metadata=metadata)
    write_atomically(path, buffer.getvalue())


def figure(profiles: Sequence[Profile], names: Mapping[str, str]) -> Figure:
    """The picture as an object of matplotlib, one axes a side, each with a scale of its own around ReLU's 0."""
    texts = [text for text in names if text != REFERENCE]
    sides = [(side, {each.expression: each for each in rows}) for side, rows in groupby(profiles, lambda p: p.side)]
    made = Figure(figsize=(_WIDTH, _ROW * len(sides) + _MARGIN), layout="constrained")
    axes = made.subplots(len(sides), 1, squeeze=False)[:, 0]
    for own, (side, by_text) in zip(axes, sides, strict=True):
        place = label(side.task) if is_reference(side.task) else side.name
        own.set_ylabel(f"{place}\n{by_text[texts[0]].unit}", rotation=0, ha="right", va="center")
        _row(own, [by_text[text] for text in texts])
    handles = [axes[0].plot([], [], "o-", color=colour)[0] for colour in _COLOURS[: len(texts)]]
    made.legend(handles, [names[text] for text in texts], loc="outside upper center", ncols=len(texts), frameon=False)
    made.supxlabel("better than ReLU by, 95 % intervals; right of the line is better", fontsize="medium")
    return made


def _row(axes: Axes, profiles: Sequence[Profile]) -> None:
    """The intervals of one side, the function's own on top."""
    ends = [end for each in profiles for end in (*each.interval, each.mean_over) if isfinite(end)]
    reach = max((abs(end) for end in ends), default=1.0) or 1.0
    axes.set_xlim(-1.05 * reach, 1.05 * reach)
    axes.axvline(0.0, color="0.5", lw=0.8)
    for number, (each, colour) in enumerate(zip(profiles, _COLOURS, strict=False)):
        if isfinite(each.mean_over):
            axes.plot(each.interval, [-number, -number], color=colour, lw=1.4)
            axes.plot([each.mean_over], [-number], "o", color=colour, ms=3.5)
        else:
            axes.text(
                0.01, -number, "failed", color=colour, fontsize=6, va="center", transform=axes.get_yaxis_transform()
            )
    axes.set_ylim(-len(profiles) + 0.4, 0.6)
    axes.set_yticks([])
    axes.set_xticks([-reach, reach], [f"{-reach:.2g}", f"{reach:+.2g}"], fontsize=6)
    axes.tick_params(length=2, pad=1)
