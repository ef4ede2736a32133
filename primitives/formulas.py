"""Formulas: an operator whose row leaves a column of the table empty is written out where that column is needed."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from primitives.errors import OperatorError
from primitives.expressions import Expression, join, parameter, postorder, rewrite
from primitives.operators import INPUTS, Operator, find_operator
from primitives.reduction import reduced
from primitives.text import parse_body

Column = Literal["forward", "tangent", "torch", "latex"]

_PLACES = tuple(parameter(name) for name in INPUTS)


@lru_cache(maxsize=8192)
def written_out(root: Expression, column: Column) -> Expression:
    """The same function over operators that have an entry in a column of the table."""
    if not root.has_formulas:
        return root

    def change(node: Expression, args: tuple[Expression, ...]) -> Expression:
        if not node.args:
            return node
        row = find_operator(node.op)
        return join(node.op, *args) if getattr(row, column) else _formula_at(row, column, args)

    return rewrite(root, change)


def _formula_at(row: Operator, column: Column, args: tuple[Expression, ...]) -> Expression:
    if not row.formula:
        raise OperatorError(f"operator {row.name!r} has neither an entry for {column!r} nor a formula")
    formula = _formula(row, column)
    new = dict(zip(_PLACES, args, strict=False))
    for node in postorder((formula,)):
        if node not in new:
            new[node] = reduced(node.op, *(new[arg] for arg in node.args)) if node.args else node
    return new[formula]


@lru_cache(maxsize=1024)
def _formula(row: Operator, column: Column) -> Expression:
    return written_out(parse_body(row.formula, dict(zip(INPUTS[: row.arity], _PLACES, strict=False))), column)
