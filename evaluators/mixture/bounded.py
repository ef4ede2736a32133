"""Bounded rules: those of a mixture in training, so that one operator that overflows does not end it.

As in GRAFS the inputs of x^2, x^3, exp and sinh and the factors of a product of two slots are clamped so that outputs
stay within 10, and the input of a root is at least 1e-3. cosh and logarithms, which GRAFS has but does not use, get the
same, and what is divided is cut at 10.
"""

from __future__ import annotations

import math

from primitives.expression.application import apply
from primitives.expression.expression import Expression, constant, with_args
from primitives.expression.traversal import rewrite
from primitives.grammars.patterns import METAVARIABLES

LARGEST = 10.0  # of an output
SMALLEST = 1e-3  # of an input of a root

_BY_OPERATOR = {"exp": "exp_10", "sinh": "sinh_10", "sqrt": "sqrt_eps", "square": "square_10", "cube": "cube_10"}
_BY_EXPONENT = {2.0: "square_10", 3.0: "cube_10"}
_QUOTIENTS = ("div", "reciprocal", "div_eps", "div_abs")


def bounded(pattern: Expression) -> Expression:
    """A rule's pattern as it stands in a mixture that is trained."""
    if pattern.op == "mul" and set(pattern.args) == set(METAVARIABLES.values()):
        return apply("mul_10", *pattern.args)
    return rewrite(pattern, _bounded_node)


def _bounded_node(node: Expression, inputs: tuple[Expression, ...]) -> Expression:
    """An operator that can leave the bounds as one that does not; its inputs are bounded already."""
    if node.op in _BY_OPERATOR:
        return apply(_BY_OPERATOR[node.op], *inputs)
    if node.op == "pow" and isinstance(exponent := inputs[1].value, float) and exponent in _BY_EXPONENT:
        return apply(_BY_EXPONENT[exponent], inputs[0])
    if node.op == "cosh":
        return apply("cosh", _clipped(inputs[0], math.acosh(LARGEST)))
    if node.op == "log":
        return apply("log", apply("max", inputs[0], constant(SMALLEST)))
    if node.op in _QUOTIENTS:
        return _clipped(with_args(node, inputs), LARGEST)
    return with_args(node, inputs)


def _clipped(node: Expression, most: float) -> Expression:
    return apply("clip", node, constant(-most), constant(most))
