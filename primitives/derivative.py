"""Symbolic derivatives: expressions again, so that every evaluator, screen and lowering target has them for free.

Where the chain rule multiplies a slope that has underflowed to 0 with a tangent that has overflowed, as in GoLU
``x*exp(-exp(-x))`` below -88.8 in float32, the product is 0, the limit, and not 0*inf = NaN. So it is where the slope
is infinite and the tangent was selected to be 0, as in ``sqrt(relu(x))``.
"""

from __future__ import annotations

from functools import lru_cache

from primitives.evaluation import constants
from primitives.expressions import Expression, Parameter, join, parameter, postorder
from primitives.formulas import written_out
from primitives.kernels import COMPARISONS
from primitives.operators import INPUTS, find_operator
from primitives.reduction import ONE, ZERO, reduced
from primitives.text import parse_body

_INPUTS = INPUTS[:3]
_OVERFLOWING = {"exp", "expm1", "sinh", "cosh", "symexp"}
_SQUARES = {"pow", "abs"}
_POLES = {"sqrt", "sqrt_abs", "pow"}
_SELECTIONS = {"where", "positive", *COMPARISONS}


@lru_cache(maxsize=4096)
def derivative(root: Expression, by: str = "x", times: Expression = ONE) -> Expression:
    """Derivative of an expression by the input or by one of its parameters.

    At a kink it is one of the two one-sided slopes. Nodes of the expression are used again, so that value and
    derivative evaluated together share them.

    Args:
        root: the expression.
        by: ``"x"`` or the name of a parameter.
        times: a factor, which goes into the first product of the chain rule.

    Returns:
        The derivative, an expression in the same input and parameters.
    """
    root = written_out(root, "tangent")
    tangent: dict[Expression, Expression] = {}
    for node in postorder((root,)):
        if not node.args:
            own = node.op == "x" if by == "x" else isinstance(node.value, Parameter) and node.value.name == by
            tangent[node] = times if own else ZERO
        elif all(tangent[arg] is ZERO for arg in node.args):
            tangent[node] = ZERO
        else:
            tangent[node] = _instantiate(node, [tangent[arg] for arg in node.args])
    return tangent[root]


@lru_cache(maxsize=1024)
def _template(op: str, *, products: bool) -> Expression:
    """The tangent of an operator; with ``products`` those that are one kernel are written out."""
    names = [*_INPUTS, *(f"d{name}" for name in _INPUTS), "y"]
    template = parse_body(find_operator(op).tangent, {name: parameter(name) for name in names})
    return written_out(template, "tangent") if products else template


def _instantiate(node: Expression, tangents: list[Expression]) -> Expression:
    """The operator's tangent with its names replaced; terms that are structurally zero vanish."""
    stands_for = dict(zip(_INPUTS, node.args, strict=False))
    stands_for |= {f"d{name}": tangent for name, tangent in zip(_INPUTS, tangents, strict=False)}
    stands_for["y"] = node
    # the slope of a product is its other factor: where that is 0 and the tangent infinite, so is the product's value
    inner = [] if node.op == "mul" else zip(_INPUTS, tangents, strict=False)
    guarded = {f"d{name}" for name, tangent in inner if _may_overflow(tangent)}
    template = _template(node.op, products=bool(guarded))
    built: dict[Expression, Expression] = {}
    for part in postorder((template,)):
        args = [built[arg] for arg in part.args]
        if isinstance(part.value, Parameter):
            built[part] = stands_for[part.value.name]
        elif part.op == "mul" and _name(part.args[1]) in guarded and args[0] not in (ZERO, ONE):
            built[part] = join("where", join("abs", args[0]), reduced("mul", *args), ZERO)
        elif part.op == "mul" and _name(part.args[1]) == "da" and _has_pole(node) and _may_vanish(args[1]):
            built[part] = join("where", join("abs", args[1]), reduced("mul", *args), ZERO)
        else:
            built[part] = reduced(part.op, *args) if part.args else part
    return built[template]


def _name(node: Expression) -> str:
    return node.value.name if isinstance(node.value, Parameter) else ""


def _has_pole(node: Expression) -> bool:
    """True if the slope by the first input is infinite at 0."""
    exponent = node.args[1].value if node.op == "pow" else 0.0
    return node.op in _POLES and not (isinstance(exponent, float) and exponent >= 1.0)


def _may_vanish(tangent: Expression) -> bool:
    """True if a tangent is 0 on an interval: it is selected."""
    return any(node.op in _SELECTIONS for node in postorder((tangent,)))


def _may_overflow(tangent: Expression) -> bool:
    """True if an exponential, other than one of a number or of minus a square, occurs."""
    candidates = [n for n in postorder((tangent,)) if n.op in _OVERFLOWING and not _is_minus_square(n.args[0])]
    return bool(candidates) and any(n not in constants((tangent,)) for n in candidates)


def _is_minus_square(node: Expression) -> bool:
    inner = node.args[0] if node.op == "neg" else node
    return node.op == "neg" and (inner.op in _SQUARES or (inner.op == "mul" and inner.args[0] is inner.args[1]))
