"""Application: an operator at expressions, within the limits of depth and size."""

from __future__ import annotations

from primitives.errors import ExpressionError
from primitives.expression.expression import MAX_DEPTH, MAX_SIZE, Expression, operation
from primitives.operators.formulas import expand


def apply(op: str, *args: Expression) -> Expression:
    """An operator applied to expressions, or ``layers`` at the functions of its places.

    Raises:
        OperatorError: the operator is unknown.
        ExpressionError: the number of arguments is wrong, or the result, with formulas expanded, is
            too deep or too large.
    """
    node = operation(op, *args)
    expanded = expand(node, "canonical")
    if expanded.depth > MAX_DEPTH:
        raise ExpressionError(f"the expression is {expanded.depth} operators deep; at most {MAX_DEPTH} are allowed")
    if expanded.size > MAX_SIZE:
        raise ExpressionError(f"the expression has {expanded.size} nodes; at most {MAX_SIZE} are allowed")
    return node
