"""Limits: how large an expression of a grammar may be, so that it can be written and read back."""

from __future__ import annotations

from primitives.expression.expression import MAX_DEPTH, MAX_SIZE, Expression
from primitives.expression.precedence import MAX_NESTING
from primitives.operators.formulas import expand

MAX_LEVELS = MAX_NESTING // 2  # an operator and its brackets are two levels of nesting to the parser


def is_within(f: Expression, functions: int = 1) -> bool:
    """True if an expression keeps to the limits, as one of so many functions of ``layers(...)`` where it is that."""
    above = int(functions > 1)
    if f.depth > MAX_LEVELS - above or f.size > MAX_SIZE:  # what is printed must be short, too
        return False
    written = expand(f, "canonical")
    return written.size <= (MAX_SIZE - above) // functions and written.depth <= MAX_DEPTH - above
