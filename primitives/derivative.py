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
_Part = tuple[Expression, str, tuple[int, ...]]


@lru_cache(maxsize=1024)
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
    tangent: dict[Expression, Expression] = {}
    for node in postorder((root.primitive,)):
        if not node.args:
            own = node.op == "x" if by == "x" else isinstance(node.value, Parameter) and node.value.name == by
            tangent[node] = _ONE if own else _ZERO
        else:
            tangent[node] = _instantiate(node, tuple([tangent[arg] for arg in node.args]))
    return tangent[root.primitive]


@lru_cache(maxsize=1024)
def _template(op: str) -> tuple[_Part, ...]:
    """The nodes of an operator's tangent, inputs first: each with its name, or "", and the numbers of its inputs."""
    names = [*_INPUTS, *(f"d{name}" for name in _INPUTS), "y"]
    nodes = postorder((parse_body(primitive(op).tangent, {name: parameter(name) for name in names}),))
    number = {node: index for index, node in enumerate(nodes)}
    return tuple([(node, _name(node), tuple([number[arg] for arg in node.args])) for node in nodes])


@lru_cache(maxsize=4096)
def _instantiate(node: Expression, tangents: tuple[Expression, ...]) -> Expression:
    """The operator's tangent with its names replaced; terms that are structurally zero vanish.

    Cached, since the expressions of a search have many subexpressions in common.
    """
    if all(tangent is _ZERO for tangent in tangents):
        return _ZERO
    stands_for = dict(zip(_INPUTS, node.args, strict=False))
    stands_for |= {f"d{name}": tangent for name, tangent in zip(_INPUTS, tangents, strict=False)}
    stands_for["y"] = node
    guarded = {f"d{name}" for name, tangent in zip(_INPUTS, tangents, strict=False) if _may_overflow(tangent)}
    parts = _template(node.op)
    built: list[Expression] = []
    for part, name, inputs in parts:
        args = [built[index] for index in inputs]
        if name:
            built.append(stands_for[name])
        elif not args:
            built.append(part)
        elif part.op == "mul" and parts[inputs[1]][1] in guarded and args[0] not in (_ZERO, _ONE):
            built.append(join("where", join("abs", args[0]), reduced("mul", *args), _ZERO))
        else:
            built.append(reduced(part.op, *args))
    return built[-1]


def _name(node: Expression) -> str:
    return node.value.name if isinstance(node.value, Parameter) else ""


@lru_cache(maxsize=4096)
def _may_overflow(tangent: Expression) -> bool:
    """True if an exponential, other than one of minus a square or of a number, occurs."""
    return any(_overflows(node) for node in postorder((tangent,)))


def _overflows(node: Expression) -> bool:
    varies = node.uses_input or node.is_learnable
    return varies and node.op in _OVERFLOWING and not _is_minus_square(node.args[0])


def _is_minus_square(node: Expression) -> bool:
    inner = node.args[0] if node.op == "neg" else node
    return node.op == "neg" and (inner.op in _SQUARES or (inner.op == "mul" and inner.args[0] is inner.args[1]))


def reduced(op: str, *args: Expression) -> Expression:
    """Apply an operator, leaving out zeros and ones that are there by construction."""
    if op != "where" and args[0].op != "constant" and args[-1].op != "constant":
        return join(op, *args)
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
