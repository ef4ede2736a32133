"""Standard deviations and root mean squares in the words that people write: the canonical form spells them out."""

from __future__ import annotations

from primitives.expression.expression import Expression, make_node, with_args
from primitives.expression.traversal import rewrite
from primitives.operators.table import reduces

_EPSILON = 1e-5  # of both formulas


def with_moments(root: Expression) -> Expression:
    """The same expression, with ``std_S`` for ``sqrt(var_S(a)+1e-5)`` and ``rms_S`` for ``sqrt(mean_S(a**2)+1e-5)``."""
    return rewrite(root, _contracted) if root.has_statistics else root


def _contracted(node: Expression, args: tuple[Expression, ...]) -> Expression:
    below = args[0] if node.op == "sqrt" else None
    if below is not None and below.op == "add" and below.args[1].value == _EPSILON and reduces(below.args[0].op):
        statistic = below.args[0]
        kind, _, letters = statistic.op.partition("_")
        inner = statistic.args[0]
        if kind == "var":
            return make_node(f"std_{letters}", inner)
        if kind == "mean" and inner.op == "pow" and inner.args[1].value == 2.0:
            return make_node(f"rms_{letters}", inner.args[0])
    return with_args(node, args) if args else node
