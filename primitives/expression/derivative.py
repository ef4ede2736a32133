"""Symbolic derivatives: expressions again, so that every evaluator, screen and lowering target has them for free.

Where the chain rule multiplies a slope that has underflowed to 0 with a tangent that has overflowed, as in GoLU
``x*exp(-exp(-x))`` below -88.8 in float32, the product is 0, the limit, and not 0*inf = NaN. So it is where the slope
is infinite and the tangent was selected to be 0, as in ``sqrt(relu(x))``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from primitives.errors import ExpressionError
from primitives.expression.bottom_up import BottomUp
from primitives.expression.expression import INPUT_NAMES, Expression, make_node, parameter
from primitives.expression.parameters import Parameter
from primitives.expression.parsing import parse_body
from primitives.expression.reduction import ONE, ZERO, reduced
from primitives.expression.traversal import postorder
from primitives.operators.formulas import expand
from primitives.operators.kernels import COMPARISONS
from primitives.operators.operator import INPUTS, LAYERS
from primitives.operators.table import find_operator

_INPUTS = INPUTS[:3]
_TANGENTS = tuple(f"d{name}" for name in _INPUTS)
_OVERFLOWING = {"exp", "expm1", "sinh", "cosh", "symexp"}
_SQUARES = {"pow", "abs"}
_POLES = {"sqrt", "sqrt_abs", "signed_sqrt", "signed_log", "pow"}
_SELECTIONS = {"where", "positive", *COMPARISONS}
_Part = tuple[Expression, str, tuple[int, ...]]


@lru_cache(maxsize=4096)
def derivative(root: Expression, wrt: str = "x", times: Expression = ONE) -> Expression:
    """Derivative of an expression with respect to the input or to one of its parameters.

    At a kink it is one of the two one-sided slopes, of ``paired(f, g)`` it is that of g. Nodes of the expression are
    used again, so that value and derivative evaluated together share them.

    Args:
        root: the expression.
        wrt: ``"x"``, ``"z"`` or the name of a parameter.
        times: a factor, which goes into the first product of the chain rule.

    Returns:
        The derivative, an expression in the same inputs and parameters.

    Raises:
        ExpressionError: the expression has statistics, whose outputs depend on many elements, or is ``layers(...)``.
    """
    if root.has_statistics or root.op == LAYERS:
        why = "has one for each of its functions" if root.op == LAYERS else "depends on more than one element"
        raise ExpressionError(f"expected a function of one element to derive, but {root.op}(...) {why}")
    return _tangents(wrt, times)(expand(root, "tangent"))


def with_slopes(root: Expression, parameters: Iterable[str]) -> tuple[Expression, ...]:
    """A function, its derivative by ``x``, and those by some parameters, in their order."""
    return root, *(derivative(root, wrt) for wrt in ("x", *parameters))


@lru_cache(maxsize=64)
def _tangents(wrt: str, times: Expression) -> BottomUp[Expression]:
    """The tangents of nodes over operators that have one."""

    def tangent(node: Expression, tangents: tuple[Expression, ...]) -> Expression:
        if node.args:
            return _instantiate(node, tangents)
        is_wrt = node.op == wrt if wrt in INPUT_NAMES else _name(node) == wrt
        return times if is_wrt else ZERO

    return BottomUp(tangent)


@lru_cache(maxsize=1024)
def _template(op: str, *, products: bool) -> tuple[_Part, ...]:
    """The nodes of an operator's tangent, inputs first: each with its name, or "", and the numbers of its inputs.

    With ``products`` those that are one kernel are expanded.
    """
    names = [*_INPUTS, *_TANGENTS, "y"]
    template = parse_body(find_operator(op).tangent, {name: parameter(name) for name in names})
    nodes = postorder((expand(template, "tangent") if products else template,))
    number = {node: index for index, node in enumerate(nodes)}
    return tuple([(node, _name(node), tuple([number[arg] for arg in node.args])) for node in nodes])


def _instantiate(node: Expression, tangents: tuple[Expression, ...]) -> Expression:
    """The operator's tangent with its names replaced; terms that are structurally zero vanish."""
    if all(tangent is ZERO for tangent in tangents):
        return ZERO
    named = dict(zip(_TANGENTS, tangents, strict=False))
    stands_for = {**dict(zip(_INPUTS, node.args, strict=False)), **named, "y": node}
    # the slope of a product is its other factor: where that is 0 and the tangent infinite, so is the product's value
    guarded = [] if node.op == "mul" else [name for name, tangent in named.items() if _may_overflow(tangent)]
    parts = _template(node.op, products=bool(guarded))
    built: list[Expression] = []
    for part, name, inputs in parts:
        args = [built[index] for index in inputs]
        if name:
            built.append(stands_for[name])
        elif part.op == "mul":
            tangent = parts[inputs[1]][1]
            built.append(_times(*args, guarded=tangent in guarded, pole=tangent == "da" and _has_pole(node)))
        else:
            built.append(reduced(part.op, *args) if args else part)
    return built[-1]


def _times(slope: Expression, tangent: Expression, *, guarded: bool, pole: bool) -> Expression:
    """Slope times tangent; 0 where one is 0 and the other may be infinite, which alone would give NaN."""
    product = reduced("mul", slope, tangent)
    if guarded and slope not in (ZERO, ONE):
        return make_node("where", make_node("abs", slope), product, ZERO)
    return make_node("where", make_node("abs", tangent), product, ZERO) if pole and _may_vanish(tangent) else product


def _name(node: Expression) -> str:
    return node.value.name if isinstance(node.value, Parameter) else ""


def _has_pole(node: Expression) -> bool:
    """True if the slope with respect to the first input is infinite at 0."""
    exponent = node.args[1].value if node.op == "pow" else 0.0
    return node.op in _POLES and not (isinstance(exponent, float) and exponent >= 1.0)


def _is_selected(node: Expression, below: tuple[bool, ...]) -> bool:
    return node.op in _SELECTIONS or any(below)


def _has_exponential(node: Expression, below: tuple[bool, ...]) -> bool:
    return any(below) or _overflows(node)


#: True if a tangent is 0 on an interval: it is selected.
_may_vanish = BottomUp(_is_selected)
#: True if an exponential, other than one of a number or of minus a square, occurs.
_may_overflow = BottomUp(_has_exponential)


def _overflows(node: Expression) -> bool:
    varies = node.uses_input or node.is_learnable
    return varies and node.op in _OVERFLOWING and not _is_minus_square(node.args[0])


def _is_minus_square(node: Expression) -> bool:
    inner = node.args[0] if node.op == "neg" else node
    return node.op == "neg" and (inner.op in _SQUARES or (inner.op == "mul" and inner.args[0] is inner.args[1]))
