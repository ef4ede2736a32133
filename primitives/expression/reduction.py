"""Reduction: zeros and ones that a derivative has by construction vanish as it is built."""

from __future__ import annotations

import math

from primitives.expression.expression import Expression, constant, make_node
from primitives.operators.kernels import COMPARISONS
from primitives.operators.table import fold

ZERO, ONE = constant(0.0), constant(1.0)


def reduced(op: str, *args: Expression) -> Expression:
    """Apply an operator, leaving out zeros and ones that are there by construction."""
    if op == "mul" and ZERO in args:
        return ZERO
    if op in {"mul", "div", "pow"} and args[1] is ONE:
        return args[0]
    if op == "mul" and args[0] is ONE:
        return args[1]
    if op in {"add", "sub"} and args[1] is ZERO:
        return args[0]
    if op == "add" and args[0] is ZERO:
        return args[1]
    if op == "sub" and args[0] is ZERO:
        return make_node("neg", args[1])
    if op in {"div", "neg"} and args[0] is ZERO:
        return ZERO
    if op == "where" and args[1] is args[2]:
        return args[1]
    if op == "where" and args[0].op in COMPARISONS and args[1] is ONE and args[2] is ZERO:
        return args[0]  # a comparison is exactly 1 or 0
    if op in {"add", "sub", "mul", "neg"} and all(isinstance(arg.value, float) for arg in args):
        value = fold(op, [float(arg.value) for arg in args if isinstance(arg.value, float)])
        return constant(value) if math.isfinite(value) else make_node(op, *args)
    return _one_factor(*args) if op == "mul" else make_node(op, *args)


def _one_factor(left: Expression, right: Expression) -> Expression:
    """A product; numbers in both factors become one."""
    (a, first), (b, second) = _split(left), _split(right)
    if a == 1.0 or b == 1.0 or not math.isfinite(a * b):
        return make_node("mul", left, right)
    rest = first if second is ONE else second if first is ONE else make_node("mul", first, second)
    return reduced("mul", constant(a * b), rest)


def _split(node: Expression) -> tuple[float, Expression]:
    """A number and the rest of which a node is the product."""
    if isinstance(node.value, float):
        return node.value, ONE
    if node.op == "mul" and isinstance(node.args[0].value, float):
        return node.args[0].value, node.args[1]
    return (
        (node.args[1].value, node.args[0])
        if node.op == "mul" and isinstance(node.args[1].value, float)
        else (1.0, node)
    )
