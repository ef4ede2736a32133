"""A picture of a function: value and derivative over the bands where normal inputs lie."""

from __future__ import annotations

import io
import os
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from primitives.errors import ActsearchError, nearest
from primitives.expression.expression import Expression
from primitives.quoting import quoted
from search.report.pictures.sampling import limits, shortened, value_and_slope, with_gaps
from search.storage.files import write_atomically

SUFFIXES = (".svg", ".png")

_BLUE, _VERMILLION = "#0072B2", "#D55E00"  # of Okabe and Ito's palette, told apart by all kinds of colour vision
_BANDS = ((1.959964, "0.95", "95 %"), (0.994458, "0.88", "68 %"))  # half width, grey, mass of a standard normal


def draw(expression: Expression, path: Path, title: str = "") -> None:
    """Draw f and f' on [-5, 5] at the initial parameters, with the central 68 % and 95 % of a standard normal input.

    The same expression gives the same bytes on one machine. The file is whole or not there.

    Raises:
        ActsearchError: the suffix is neither .svg nor .png, or there is no such folder.
    """
    if path.suffix not in SUFFIXES:
        hint = nearest(path.suffix, SUFFIXES)
        raise ActsearchError(f"cannot draw to {quoted(str(path))}: the name must end in {' or '.join(SUFFIXES)}{hint}")
    if not os.path.isdir(path.parent):
        raise ActsearchError(
            f"cannot draw to {quoted(str(path))}: the folder {quoted(str(path.parent))} does not exist"
        )
    write_atomically(path, picture(expression, path.suffix, title))


def picture(expression: Expression, suffix: str, title: str = "") -> bytes:
    """The bytes of the file that :func:`draw` writes; ``suffix`` is ``".svg"`` or ``".png"``."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "actsearch", "font.size": 9.0, "axes.linewidth": 0.6}):
        metadata = {"Date": None} if suffix == ".svg" else {}
        figure(expression, title).savefig(buffer, format=suffix[1:], dpi=200, metadata=metadata)
    return buffer.getvalue()


def figure(expression: Expression, title: str = "") -> Figure:
    """The picture as an object of matplotlib, whose axes can be changed before it is saved."""
    x, value, slope = value_and_slope(expression, 5.0)
    made = Figure(figsize=(4.6, 4.4), layout="constrained")
    upper, lower = made.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    _panel(upper, x, value, _BLUE)
    _panel(lower, x, slope, _VERMILLION)
    upper.set_title(shortened(title or expression.text, 60), fontsize="medium", parse_math=False)
    upper.set_ylabel("value $f(x)$")
    lower.set_ylabel("derivative $f'(x)$")
    lower.set_xlabel("input $x$")
    lower.set_xlim(-5.0, 5.0)
    made.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return made


def _panel(axes: Axes, x: Tensor, y: Tensor, colour: str) -> None:
    for half, grey, mass in _BANDS:
        axes.axvspan(-half, half, color=grey, lw=0, zorder=0, label=f"{mass} of normal inputs")
    low, high = limits(x, y)
    axes.set_ylim(low, high)
    axes.axhline(0.0, color="0.6", lw=0.6, zorder=1)
    axes.axvline(0.0, color="0.6", lw=0.6, zorder=1)
    axes.grid(color="0.8", lw=0.4)
    shown = with_gaps(y, high - low).clamp(low - 9 * (high - low), high + 9 * (high - low))  # drawing may overflow
    axes.plot(x.numpy(), shown.numpy(), color=colour, lw=1.6, zorder=3)
    if not y.isfinite().any():
        axes.text(0.5, 0.5, "nowhere finite", transform=axes.transAxes, ha="center", va="center")
