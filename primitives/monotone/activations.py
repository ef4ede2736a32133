"""The three activations of constrained monotonic networks (Runje and Shankaranarayana 2023, arXiv 2205.11775).

From a function f that is increasing, convex and bounded below, moved to f(0) = 0: itself, its point reflection
-f(-x), which is concave and bounded above, and f(x+1) - f(1) for x < 0, f(1) - f(1-x) otherwise, which is bounded.
The last is written as f(min(x,0)+1) - f(1-max(x,0)): the same, and continuous and increasing by its form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from primitives.errors import ExpressionError
from primitives.expression.application import apply
from primitives.expression.evaluation import value_at
from primitives.expression.expression import Expression, constant, variable, with_args
from primitives.expression.reduction import ONE, ZERO, reduced
from primitives.expression.traversal import rewrite
from primitives.monotone.proof import Monotonicity, monotonicity
from primitives.quoting import quoted


@dataclass(frozen=True, slots=True)
class MonotoneActivations:
    """Three increasing functions, each 0 at 0.

    Args:
        convex: f(x) - f(0).
        concave: its point reflection.
        bounded: between inf f - f(1) and f(1) - inf f.
    """

    convex: Expression
    concave: Expression
    bounded: Expression


def monotone_activations(expression: Expression) -> MonotoneActivations:
    """The three activations of a function; expressions, to be printed, lowered and exported as any.

    Args:
        expression: proved increasing, convex and bounded below for all values of its parameters, which all three share
            by name. Of ``paired(f, g)`` these are properties of f, and both parts are mapped.

    Raises:
        ExpressionError: a property is not proved; the message names each that is missing. Or it is ``layers(...)``,
            or an activation would be too deep or too large.
    """
    if len(expression.parts) > 1:
        raise ExpressionError(f"{quoted(expression.text)} has one function for each place; give one of them")
    missing = ", ".join(_missing(monotonicity(expression)))
    if missing:
        raise ExpressionError(
            f"{quoted(expression.text)} has no monotone activations: it must be proved increasing, convex and bounded "
            f"below; it is {missing}"
        )
    x = variable()
    base = _less(expression, _at(expression, ZERO))
    reflected = apply("neg", _at(base, apply("neg", x)))
    left = apply("add", apply("min", x, ZERO), ONE)
    right = apply("sub", ONE, apply("max", x, ZERO))
    return MonotoneActivations(base, reflected, apply("sub", _at(expression, left), _at(expression, right)))


def _missing(known: Monotonicity) -> Iterator[str]:
    if known.proved == "constant":
        yield "constant"
    elif known.proved != "increasing":
        yield f"not increasing: {known.falls.text}" if known.falls else f"not proved increasing: {known.missing}"
    if not known.convex:
        yield "not proved convex"
    if known.low is None:
        yield "not proved bounded below"


def _less(f: Expression, number: Expression) -> Expression:
    return f if number is ZERO else apply("sub", f, number)


def _at(f: Expression, x: Expression) -> Expression:
    """f with its input replaced; a number where that leaves neither input nor parameter."""
    if not (x.uses_input or f.is_learnable):
        zero = torch.tensor([x.value], dtype=torch.float64)
        return constant(float(value_at(f, zero)[0]))

    def change(node: Expression, args: tuple[Expression, ...]) -> Expression:
        if node.op == "x":
            return x
        return with_args(node, args) if x.uses_input or not args else reduced(node.op, *args)

    return rewrite(f, change)
