"""Kinds of candidates in words, and the function of one number that an analysis needs."""

from __future__ import annotations

from primitives.equivalence.canonical import canonical
from primitives.equivalence.classes import has_own_slope
from primitives.errors import ExpressionError
from primitives.expression.expression import MAX_SIZE, Expression
from primitives.operators.operator import LAYERS


def kind_in_words(expression: Expression) -> str:
    """What a candidate is: a function of one number, a layer, a gate, one function per place; asked of its canonical
    form.
    """
    form = canonical(expression)
    if form.op == LAYERS:
        return f"one function per place, {len(form.parts)} for equal runs of places"
    if "z" in form.inputs:
        noun = "a gate of x and z with statistics" if form.has_statistics else "a gate of x and z"
    else:
        noun = "a layer with statistics" if form.has_statistics else "a function of one number"
    return f"{noun}, with a derivative of its own" if has_own_slope(form) else noun


def plainest(expression: Expression) -> Expression:
    """Itself, or its canonical form where that alone is a function of one number, as of ``layers(relu(x),relu(x))``."""
    if expression.is_pointwise:
        return expression
    form = canonical(expression)
    return form if form.is_pointwise else expression


def pointwise_form(expression: Expression, use: str) -> Expression:
    """The function of one number that an expression is; see :func:`plainest`.

    Args:
        expression: any.
        use: for the message, what needs such a function, as ``"curves"``.

    Raises:
        ExpressionError: it is none.
    """
    form = plainest(expression)
    if form.is_pointwise:
        return form
    text = expression.text if expression.size <= MAX_SIZE else f"an expression of {expression.size} nodes"
    hint = "; take one of its parts, as expression.parts[0]" if expression.op == LAYERS else ""
    raise ExpressionError(f"{use}: expected a function of one number, but {text} is {kind_in_words(expression)}{hint}")
