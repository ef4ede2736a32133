"""Application: an operator at expressions, within the limits of depth and size."""

from __future__ import annotations

from primitives.errors import ExpressionError
from primitives.expression.expression import MAX_DEPTH, MAX_SIZE, Expression, operation
from primitives.operators.formulas import written_out


def apply(op: str, *args: Expression) -> Expression:
    """An operator applied to expressions.

    Raises:
        OperatorError: the operator is unknown.
        ExpressionError: the number of arguments is wrong, or the result, with formulas written out, is
            too deep or too large.
    """
    node = operation(op, *args)
    written = written_out(node, "forward")
    if written.depth > MAX_DEPTH:
        raise ExpressionError(f"the expression is {written.depth} operators deep; at most {MAX_DEPTH} are allowed")
    if written.size > MAX_SIZE:
        raise ExpressionError(f"the expression has {written.size} nodes; at most {MAX_SIZE} are allowed")
    return node
