"""All features of one function."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from primitives.analysis.curve import curve
from primitives.analysis.features import Gaussian, gaussian
from primitives.analysis.finiteness import finite
from primitives.analysis.shape import Shape, shape
from primitives.equivalence.kinds import pointwise_form
from primitives.expression.expression import Expression
from primitives.operators.formulas import valued


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is known of a function f at its initial parameters; ``dataclasses.asdict`` gives JSON's types.

    Where f has a derivative of its own, as ``paired(g, h)`` has, f' is that one, by which gradients go back; the shape
    is that of the values alone.

    Args:
        gaussian: under standard normal inputs; None where E f^2 is not a positive finite number.
        shape: on the whole line; None where f is not a number somewhere on [-50, 50].
        at_zero: f(0); None where it is not finite.
        finite_in: of float32, bfloat16 and float16 those in which f and f' are finite on [-50, 50].
    """

    gaussian: Gaussian | None
    shape: Shape | None
    at_zero: float | None
    finite_in: tuple[str, ...]


def analyse(expression: Expression) -> Analysis:
    """Analyse an expression: 5 ms for most, 15 ms for the slowest of the catalogue (`benchmarks/analysis.py`).

    Raises:
        ExpressionError: it is no function of one number: it has statistics or ``z``, or is ``layers(...)``, of which
            each of ``expression.parts`` may be analysed.
    """
    expression = pointwise_form(expression, "analysis")
    seen = curve(expression)
    outline = shape(seen if not expression.is_paired else curve(valued(expression)))
    kinked = expression.is_paired or outline is None or outline.smoothness in {"discont", "C0"}
    types = [dtype for dtype in (torch.float32, torch.bfloat16, torch.float16) if finite(expression, dtype)]
    return Analysis(
        gaussian=gaussian(seen, kinked=kinked),
        shape=outline,
        at_zero=seen.at_zero if math.isfinite(seen.at_zero) else None,
        finite_in=tuple(str(dtype).removeprefix("torch.") for dtype in types),
    )
