"""A picture of a function: value and derivative over the bands where normal inputs lie."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

from primitives.errors import ActsearchError, nearest
from primitives.expression.expression import Expression
from primitives.quoting import quoted
from search.report.pictures.sampling import inputs, limits, lines_of, shortened, why_no_curve, with_gaps
from search.storage.files import write_atomically

SUFFIXES = (".svg", ".png")

_BLUE, _VERMILLION = "#0072B2", "#D55E00"  # of Okabe and Ito's palette, told apart by all kinds of colour vision
_OF_Z = ("#0072B2", "#009E73", "#E69F00", "#D55E00")  # of the same
_ACROSS = 4  # functions of layers(...) side by side
_WIDTH, _HEIGHT = 4.6, 4.4  # inches
_BANDS = ((1.959964, "0.95", "95 %"), (0.994458, "0.88", "68 %"))  # half width, grey, mass of a standard normal


def draw(expression: Expression, path: Path, title: str = "") -> None:
    """Draw f and f' on [-5, 5] at the initial parameters, with the central 68 % and 95 % of a standard normal input.

    A gate has a curve for each of some z, ``layers(...)`` a pair of panels for each of its functions. The same
    expression gives the same bytes on one machine. The file is whole or not there.

    Raises:
        ActsearchError: the suffix is neither .svg nor .png, or there is no such folder; or all that there is to draw
            are layers with statistics, which have no curve.
    """
    if path.suffix not in SUFFIXES:
        hint = nearest(path.suffix, SUFFIXES)
        raise ActsearchError(f"cannot draw to {quoted(str(path))}: the name must end in {' or '.join(SUFFIXES)}{hint}")
    if not os.path.isdir(path.parent):
        raise ActsearchError(
            f"cannot draw to {quoted(str(path))}: the folder {quoted(str(path.parent))} does not exist"
        )
    if all(map(why_no_curve, expression.parts)):
        raise ActsearchError(f"cannot draw {shortened(expression.text, 60)}: {why_no_curve(expression.parts[0])}")
    write_atomically(path, picture(expression, path.suffix, title))


def picture(expression: Expression, suffix: str, title: str = "") -> bytes:
    """The bytes of the file that :func:`draw` writes; ``suffix`` is ``".svg"`` or ``".png"``.

    Where there is no curve to draw, the picture says why.
    """
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "actsearch", "font.size": 9.0, "axes.linewidth": 0.6}):
        metadata = {"Date": None} if suffix == ".svg" else {}
        figure(expression, title).savefig(buffer, format=suffix[1:], dpi=200, metadata=metadata)
    return buffer.getvalue()


def figure(expression: Expression, title: str = "") -> Figure:
    """The picture as an object of matplotlib, whose axes can be changed before it is saved.

    Axes come in pairs, value and derivative, one for each function.
    """
    parts = expression.parts
    columns = min(len(parts), _ACROSS)
    rows = -(-len(parts) // columns)
    made = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows), layout="constrained")
    if len(parts) == 1:
        _draw(made, parts[0], title or expression.text)
        return made
    cells = made.subfigures(rows, columns, squeeze=False).ravel()
    for number, (cell, part) in enumerate(zip(cells, parts, strict=False), 1):
        _draw(cell, part, f"{number} of {len(parts)}: {part.text}")
    return made


def _draw(cell: Figure | SubFigure, function: Expression, title: str) -> None:
    """Value and derivative of the function of one place."""
    x = inputs(5.0)
    lines = lines_of(function, x)
    upper, lower = cell.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    upper.set_title(shortened(title, 60), fontsize="medium", parse_math=False)
    lower.set_xlabel("input $x$")
    lower.set_xlim(-5.0, 5.0)
    if not lines:
        text = "no picture:\n" + why_no_curve(function).replace(", and", ",\nand")
        upper.text(0.5, 0.5, text, transform=upper.transAxes, ha="center", va="center")
        for axes in (upper, lower):
            axes.set_yticks([])
        return
    of_gate = bool(lines[0].label)
    for line, colour in zip(lines, _OF_Z, strict=True) if of_gate else ():
        upper.plot([], [], color=colour, label=f"${line.label}$")
    _panel(upper, x, [line.value for line in lines], _OF_Z if of_gate else (_BLUE,))
    _panel(lower, x, [line.slope for line in lines], _OF_Z if of_gate else (_VERMILLION,))
    upper.set_ylabel("value $f(x, z)$" if of_gate else "value $f(x)$")
    lower.set_ylabel("derivative by $x$" if of_gate else "derivative $f'(x)$")
    cell.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)


def _panel(axes: Axes, x: Tensor, rows: Sequence[Tensor], colours: Sequence[str]) -> None:
    for half, grey, mass in _BANDS:
        axes.axvspan(-half, half, color=grey, lw=0, zorder=0, label=f"{mass} of normal inputs")
    low, high = limits(x, torch.stack(list(rows)))
    axes.set_ylim(low, high)
    axes.axhline(0.0, color="0.6", lw=0.6, zorder=1)
    axes.axvline(0.0, color="0.6", lw=0.6, zorder=1)
    axes.grid(color="0.8", lw=0.4)
    for y, colour in zip(rows, colours, strict=True):
        shown = with_gaps(y, high - low).clamp(low - 9 * (high - low), high + 9 * (high - low))  # drawing may overflow
        axes.plot(x.numpy(), shown.numpy(), color=colour, lw=1.6, zorder=3)
    if not any(y.isfinite().any() for y in rows):
        axes.text(0.5, 0.5, "nowhere finite", transform=axes.transAxes, ha="center", va="center")
