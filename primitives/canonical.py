"""Canonical form: one bottom-up pass of cheap identities; it never makes an expression larger."""

from __future__ import annotations

import math

from primitives.expressions import Expression, constant, join, rewrite, with_numbered_parameters
from primitives.formulas import written_out
from primitives.operators import find_operator, fold

_IDEMPOTENT = {"relu", "abs", "relu6", "hardtanh", "floor", "sign"}


def canonical(root: Expression) -> Expression:
    """Write out defined operators, order arguments, fold constants, apply identities of neg, + - * / ** max min.

    The result equals the expression wherever that is finite. Time is linear in the size.
    """
    return with_numbered_parameters(rewrite(written_out(root, "forward"), _reduce))


def _reduce(node: Expression, args: tuple[Expression, ...]) -> Expression:
    if not args:
        return node
    if all(isinstance(arg.value, float) for arg in args):
        value = fold(node.op, [float(arg.value) for arg in args if isinstance(arg.value, float)])
        return constant(value) if math.isfinite(value) else join(node.op, *args)
    if find_operator(node.op).commutative:
        args = tuple(sorted(args, key=_order))
    return _identity(node.op, args) or join(node.op, *args)


def _order(node: Expression) -> tuple[bool, int, str]:
    return isinstance(node.value, float), node.size, node.text


def _identity(op: str, args: tuple[Expression, ...]) -> Expression | None:
    """The simpler equal of an operator at these inputs, or None."""
    first, last = args[0], args[-1]
    if op == "neg" and first.op == "neg":
        return first.args[0]
    if op in {"add", "sub"} and last.value == 0.0:
        return first
    if op in {"mul", "div", "pow"} and last.value == 1.0:
        return first
    if op == "add" and first.op == "neg":
        return join("sub", last, first.args[0])
    if op == "add" and last.op == "neg":
        return join("sub", first, last.args[0])
    if op == "sub" and last.op == "neg":
        return _reduce(join("add", first, last.args[0]), (first, last.args[0]))
    if op in {"max", "min"} and first is last:
        return first
    if op in _IDEMPOTENT and first.op == op:
        return first
    return _special_power(op, args)


def _special_power(op: str, args: tuple[Expression, ...]) -> Expression | None:
    """``u*u`` is ``u**2``; an even power does not see the sign."""
    first, last = args[0], args[-1]
    if op == "mul" and first is last:
        return join("pow", first, constant(2.0))
    if op == "pow" and first.op in {"neg", "abs"} and isinstance(last.value, float) and last.value % 2 == 0:
        return join("pow", first.args[0], last)
    return None
