"""Formulas: an operator without an entry in a column is expanded where that column is needed.

Columns are those of the table and those of the lowering targets, which hold their own; see
:class:`primitives.lowering.column.Column`.
"""

from __future__ import annotations

from functools import lru_cache

from primitives.errors import LoweringError
from primitives.expression.bottom_up import BottomUp
from primitives.expression.expression import Expression, make_node, operation, parameter
from primitives.expression.precedence import read
from primitives.expression.reduction import reduced
from primitives.expression.traversal import postorder
from primitives.operators.operator import INPUTS, LAYERS, Operator
from primitives.operators.table import find_operator

_PLACES = tuple(parameter(name) for name in INPUTS)


def expand(root: Expression, column: str, entries: frozenset[str] | None = None) -> Expression:
    """The same function over operators that have an entry in a column.

    Args:
        root: the function.
        column: a field or property of the table's rows, such as ``"forward"``, or with ``entries`` a target's name.
        entries: the operators that the column has, for columns that are no field of the table.

    Raises:
        LoweringError: an operator has neither an entry nor a formula.
    """
    if column in {"forward", "tangent", "canonical"} and not root.has_formulas:
        return root
    return _expansions(column, entries)(root)


@lru_cache(maxsize=64)
def _expansions(column: str, entries: frozenset[str] | None) -> BottomUp[Expression]:
    def change(node: Expression, args: tuple[Expression, ...]) -> Expression:
        if not node.args:
            return node
        if node.op == LAYERS:
            return make_node(LAYERS, *args)
        row = find_operator(node.op)
        known = bool(getattr(row, column)) if entries is None else row.name in entries
        return make_node(node.op, *args) if known else _formula_at(row, column, entries, args)

    return BottomUp(change)


def valued(root: Expression) -> Expression:
    """The function that has the values of an expression and their own derivative: without pairs."""
    return expand(root, "forward") if root.is_paired else root


def _formula_at(row: Operator, column: str, entries: frozenset[str] | None, args: tuple[Expression, ...]) -> Expression:
    if not row.formula:
        raise LoweringError(
            f"operator {row.name!r} cannot be written in {column}: it has no entry for it and no formula"
        )
    formula = _formula(row, column, entries)
    new = dict(zip(_PLACES, args, strict=False))
    for node in postorder((formula,)):
        if node not in new:
            new[node] = reduced(node.op, *(new[arg] for arg in node.args)) if node.args else node
    return new[formula]


@lru_cache(maxsize=1024)
def _formula(row: Operator, column: str, entries: frozenset[str] | None) -> Expression:
    places = dict(zip(INPUTS[: row.arity], _PLACES, strict=False))
    return expand(read(row.formula, places, operation), column, entries)
