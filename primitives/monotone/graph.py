"""The facts of an expression: rules from the leaves to the root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from primitives.errors import OperatorError
from primitives.expression.expression import Expression, parameter
from primitives.expression.parameters import Parameter
from primitives.expression.parsing import parse_body
from primitives.expression.traversal import postorder
from primitives.monotone.columns import by_columns
from primitives.monotone.facts import Facts, both, number, unknown_constant
from primitives.monotone.rules import RULES, power, selected
from primitives.operators.operator import INPUTS, Operator
from primitives.operators.table import find_operator

#: What is proved of each node; None where nothing is, not even that it has a value.
Known = dict[Expression, Facts | None]


def facts_of(root: Expression, x: Facts, parameters: Mapping[str, Facts] | None = None) -> Facts | None:
    """What is proved of an expression, as a function of real numbers; None where it may have no value.

    Args:
        root: the expression; of ``paired(f, g)`` the value counts, which is f.
        x: of the input.
        parameters: of parameters by name; any number for the others.
    """
    return known_of(root, x, parameters)[root]


def known_of(root: Expression, x: Facts, parameters: Mapping[str, Facts] | None = None) -> Known:
    """What is proved of each node."""
    known: Known = {}
    for node in postorder((root,)):
        args = [known[arg] for arg in node.args]
        known[node] = _of_operator(node, args) if args else _of_leaf(node, x, parameters or {})
    return known


def _of_leaf(node: Expression, x: Facts, parameters: Mapping[str, Facts]) -> Facts | None:
    if node.op == "x":
        return x
    if isinstance(node.value, Parameter):
        return parameters.get(node.value.name) or unknown_constant()
    return None if node.value is None else number(node.value)


def _of_operator(node: Expression, args: Sequence[Facts | None]) -> Facts | None:
    if node.op == "where":
        return selected(*args)
    given = [arg for arg in args if arg is not None]
    if len(given) < len(args):
        return None
    if len(given) == 2 and node.args[0] is node.args[1] and node.op in {"mul", "sub"}:
        return power(given[0], number(2.0)) if node.op == "mul" else number(0.0)
    if node.op in RULES:
        return RULES[node.op](*given)
    row = _row(node.op)
    return None if row is None else _by_row(row, given)


def _row(op: str) -> Operator | None:
    try:
        row = find_operator(op)
    except OperatorError:  # the second input, say
        return None
    return None if row.reduces else row


def _by_row(row: Operator, args: Sequence[Facts]) -> Facts | None:
    """By the columns, and where one of them is empty, or says nothing, by the formula."""
    by_column = by_columns(row, args) if row.monotone else None
    if row.formula and (by_column is None or {"", "neither"} & {*row.monotone, row.curvature}):
        return both(by_column, _by_formula(row, args))
    return by_column


def _by_formula(row: Operator, args: Sequence[Facts]) -> Facts | None:
    body = _body(row.formula, row.arity)
    return facts_of(body, unknown_constant(), dict(zip(INPUTS, args, strict=False)))


@lru_cache(maxsize=1024)
def _body(formula: str, arity: int) -> Expression:
    """The formula over parameters that are named as the inputs."""
    return parse_body(formula, {name: parameter(name) for name in INPUTS[:arity]})


def without_rule(root: Expression) -> str | None:
    """The first operator or leaf that no rule knows, or None."""
    for node in postorder((root,)):
        if node.op in ("x", "constant", "parameter", "where") or node.op in RULES:
            continue
        row = _row(node.op)
        if row is None or not (row.monotone or row.formula):
            return node.op
        if not row.monotone and (inner := without_rule(_body(row.formula, row.arity))):
            return inner
    return None
