"""Symbolic derivatives: expressions again, so that every evaluator, screen and lowering target has them for free.

Where the chain rule multiplies a slope that has underflowed to 0 with a tangent that has overflowed, as in GoLU
``x*exp(-exp(-x))`` below -88.8 in float32, the product is 0, the limit, and not 0*inf = NaN.
"""

from __future__ import annotations

from functools import lru_cache

from primitives.evaluation import fold
from primitives.expressions import Expression, Parameter, constant, join, parameter, postorder
from primitives.kernels import COMPARISONS
from primitives.operators import INPUTS, primitive
from primitives.text import parse_body

_INPUTS = INPUTS[:3]
_ZERO, _ONE = constant(0.0), constant(1.0)
_OVERFLOWING = {"exp", "expm1", "sinh", "cosh", "symexp"}
_SQUARES = {"pow", "abs"}


@lru_cache(maxsize=4096)
def derivative(root: Expression, by: str = "x") -> Expression:
    """Derivative of an expression by the input or by one of its parameters.

    At a kink it is one of the two one-sided slopes. Nodes of the expression are used again, so that value and
    derivative evaluated together share them.

    Args:
        root: the expression.
        by: ``"x"`` or the name of a parameter.

    Returns:
        The derivative, an expression in the same input and parameters.
    """
    root = root.primitive
    tangent: dict[Expression, Expression] = {}
    nodes = postorder((root,))
    guard = any(_overflows(node) or _has_overflowing_tangent(node.op) for node in nodes if node.args)
    for node in nodes:
        if not node.args:
            own = node.op == "x" if by == "x" else isinstance(node.value, Parameter) and node.value.name == by
            tangent[node] = _ONE if own else _ZERO
        elif all(tangent[arg] is _ZERO for arg in node.args):
            tangent[node] = _ZERO
        else:
            tangent[node] = _instantiate(node, [tangent[arg] for arg in node.args], guard)
    return tangent[root]


@lru_cache(maxsize=1024)
def _template(op: str) -> tuple[Expression, ...]:
    """The nodes of an operator's tangent, inputs before users."""
    names = [*_INPUTS, *(f"d{name}" for name in _INPUTS), "y"]
    return tuple(postorder((parse_body(primitive(op).tangent, {name: parameter(name) for name in names}),)))


def _instantiate(node: Expression, tangents: list[Expression], guard: bool) -> Expression:
    """The operator's tangent with its names replaced; terms that are structurally zero vanish.

    ``guard``: a tangent may overflow somewhere in the expression.
    """
    stands_for = dict(zip(_INPUTS, node.args, strict=False))
    stands_for |= {f"d{name}": tangent for name, tangent in zip(_INPUTS, tangents, strict=False)}
    stands_for["y"] = node
    guarded = {f"d{name}" for name, tangent in zip(_INPUTS, tangents, strict=False) if guard and _may_overflow(tangent)}
    built: dict[Expression, Expression] = {}
    for part in _template(node.op):
        args = [built[arg] for arg in part.args]
        if isinstance(part.value, Parameter):
            built[part] = stands_for[part.value.name]
        elif part.op == "mul" and _name(part.args[1]) in guarded and args[0] not in (_ZERO, _ONE):
            built[part] = join("where", join("abs", args[0]), reduced("mul", *args), _ZERO)
        else:
            built[part] = reduced(part.op, *args) if part.args else part
    return built[part]


def _name(node: Expression) -> str:
    return node.value.name if isinstance(node.value, Parameter) else ""


def _may_overflow(tangent: Expression) -> bool:
    """True if an exponential, other than one of minus a square or of a number, occurs."""
    return any(_overflows(node) for node in postorder((tangent,)))


@lru_cache(maxsize=1024)
def _has_overflowing_tangent(op: str) -> bool:
    return any(_overflows(node) for node in _template(op))


def _overflows(node: Expression) -> bool:
    varies = node.uses_input or node.is_learnable
    return varies and node.op in _OVERFLOWING and not _is_minus_square(node.args[0])


def _is_minus_square(node: Expression) -> bool:
    inner = node.args[0] if node.op == "neg" else node
    return node.op == "neg" and (inner.op in _SQUARES or (inner.op == "mul" and inner.args[0] is inner.args[1]))


def reduced(op: str, *args: Expression) -> Expression:
    """Apply an operator, leaving out zeros and ones that are there by construction."""
    if op == "mul" and _ZERO in args:
        return _ZERO
    if op in {"mul", "div", "pow"} and args[1] is _ONE:
        return args[0]
    if op == "mul" and args[0] is _ONE:
        return args[1]
    if op in {"add", "sub"} and args[1] is _ZERO:
        return args[0]
    if op == "add" and args[0] is _ZERO:
        return args[1]
    if op == "sub" and args[0] is _ZERO:
        return join("neg", args[1])
    if op in {"div", "neg"} and args[0] is _ZERO:
        return _ZERO
    if op == "where" and args[1] is args[2]:
        return args[1]
    if op == "where" and args[0].op in COMPARISONS and args[1] is _ONE and args[2] is _ZERO:
        return args[0]  # a comparison is exactly 1 or 0
    if op in {"add", "sub", "mul", "neg"} and all(isinstance(arg.value, float) for arg in args):
        return constant(fold(op, [float(arg.value) for arg in args if isinstance(arg.value, float)]))
    return join(op, *args)
