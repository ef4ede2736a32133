"""A function as curves: value and slope, which part of them to show, and where a curve has a gap.

Both pictures of a function are made of these. There are two, because no drawing can be both: ``search/export/plot.py``
writes files, .png among them, and sets text with matplotlib, which takes a second to import; the report's page has a
picture for each of 48 members, inline, with the page's own text and with colours that CSS changes in the dark and on
paper, and must be written at the end of a job that has no use for matplotlib. Its front alone, ``front --plot``, is
drawn there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from primitives.equivalence.kinds import kind_in_words, plainest
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import evaluate
from primitives.expression.expression import Expression
from primitives.operators.operator import LAYERS

_POINTS = 4_000  # so many that a jump can be told from a steep slope; 0 is none of them
#: Second inputs at which a gate is shown.
SECOND = (-1.0, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A function of x as a curve.

    Args:
        label: ``"z = 0.5"`` of a gate, else "".
        value: at the inputs, float64.
        slope: by x; NaN where the value is not finite.
    """

    label: str
    value: Tensor
    slope: Tensor


def why_no_curve(function: Expression) -> str:
    """Why the function of one place has no picture, for people; "" where it has one."""
    function = plainest(function)
    if not function.has_statistics and function.op != LAYERS:
        return ""
    return f"it is {kind_in_words(function)}, and an output depends on more than one number"


def inputs(end: float, points: int = _POINTS) -> Tensor:
    """Inputs from ``-end`` to ``end``, float64."""
    return torch.linspace(-end, end, points, dtype=torch.float64)


def lines_of(function: Expression, x: Tensor) -> list[Line]:
    """The curves of a function at some inputs and its initial parameters: one, or of a gate one for each z of
    :data:`SECOND`; none where :func:`why_no_curve` says why.
    """
    function = plainest(function)
    if why_no_curve(function):
        return []
    roots = function, derivative(function)
    lines = []
    for z in SECOND if "z" in function.inputs else (None,):
        given = function.initial_values | ({} if z is None else {"z": z})
        value, slope = evaluate(roots, x, given)
        lines.append(Line("" if z is None else f"z = {z:g}", value, torch.where(value.isfinite(), slope, torch.nan)))
    return lines


def limits(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Limits of the axis: all of a tame function, the middle of one that explodes.

    The middle is where 80 % of the values on [-2, 2] lie; shown is up to three times as much, or all where that is no
    more than four times as much. Of several functions both are shaped alike, (lines, points).
    """
    finite = y[y.isfinite()]
    middle = y[y.isfinite() & (x.abs() < 2.0)]
    if not len(middle):
        middle = finite
    if not len(middle):
        return -1.0, 1.0
    low, high = (float(v) for v in middle.quantile(torch.tensor([0.1, 0.9], dtype=y.dtype)))
    least, most, spread = float(finite.min()), float(finite.max()), high - low
    if most - least > 4.0 * spread > 0.0:
        least, most = max(least, low - spread), min(most, high + spread)
    margin = 0.06 * (most - least) or 1.0
    return least - margin, most + margin


def with_gaps(y: Tensor, height: float) -> Tensor:
    """The values, with none before a jump or a pole: a step above 1 % of the axis that is far above those beside it."""
    steps = y.diff().abs()
    jump = torch.zeros_like(y, dtype=torch.bool)
    jump[2:-3] = (steps[2:-2] > 0.01 * height) & (steps[2:-2] > 5.0 * torch.maximum(steps[:-4], steps[4:]))
    return torch.where(jump | ~y.isfinite(), torch.nan, y)


def shortened(text: str, length: int) -> str:
    """The beginning of a text that is too long for its place in a picture."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
