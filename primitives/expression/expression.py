"""An expression: an immutable, hash-consed graph of operators over the input, constants and parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from weakref import WeakValueDictionary

from primitives.errors import ExpressionError
from primitives.expression.parameters import Granularity, Parameter
from primitives.expression.printing import to_text
from primitives.expression.traversal import postorder
from primitives.operators.table import PAIR, find_operator, needs_formula

MAX_DEPTH = 100
MAX_SIZE = 400


class Expression:
    """A node and all below it; equal expressions are one object, so ``==`` and ``hash`` go by identity.

    Build one with :func:`primitives.parse`, :func:`variable`, :func:`constant`, :func:`parameter` or
    :func:`primitives.apply`. What it has of its own is its structure and its text; what is computed of it, values,
    canonical form, classes, derivatives, are functions of their own modules.

    Attributes:
        op: operator name, or ``"x"``, ``"constant"``, ``"parameter"`` for a leaf.
        args: the ordered inputs.
        value: the float of a constant, the :class:`Parameter` of a parameter leaf, else ``None``.
        size: number of nodes of the expression written as a tree.
        depth: number of nodes on the longest path to a leaf.
        has_formulas: an operator below has its value or derivative from a formula; see
            :mod:`primitives.operators.formulas`.
        uses_input: the input occurs.
        is_learnable: a parameter occurs.
        is_paired: ``paired`` occurs; it may still be that its derivative is that of its value. See
            :func:`primitives.equivalence.classes.has_own_slope`.
    """

    def __init__(self, op: str, args: tuple[Expression, ...], value: float | Parameter | None) -> None:
        self.op = op
        self.args = args
        self.value = value
        size, depth, has_formulas = 1, 1, needs_formula(op)
        uses_input, is_learnable, is_paired = op == "x", isinstance(value, Parameter), op == PAIR
        for arg in args:
            size += arg.size
            depth = max(depth, arg.depth + 1)
            has_formulas = has_formulas or arg.has_formulas
            uses_input = uses_input or arg.uses_input
            is_learnable = is_learnable or arg.is_learnable
            is_paired = is_paired or arg.is_paired
        self.size: int = size
        self.depth: int = depth
        self.has_formulas: bool = has_formulas
        self.uses_input: bool = uses_input
        self.is_learnable: bool = is_learnable
        self.is_paired: bool = is_paired

    def __repr__(self) -> str:
        if self.size > MAX_SIZE:  # a derivative, say: small as a graph, endless as text
            return f"<Expression {self.op}(...), {self.depth} levels>"
        return f"parse({self.text!r})"

    def __reduce__(self) -> tuple[Callable[[tuple[_Step, ...]], Expression], tuple[tuple[_Step, ...]]]:
        nodes = postorder((self,))
        number = {node: index for index, node in enumerate(nodes)}
        return _rebuilt, (tuple([(node.op, tuple([number[arg] for arg in node.args]), node.value) for node in nodes]),)

    def __copy__(self) -> Expression:
        return self

    def __deepcopy__(self, memo: object) -> Expression:
        return self

    @cached_property
    def text(self) -> str:
        """Infix text that :func:`primitives.parse` reads back to this very object."""
        return to_text(self)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The distinct parameters in the order of their first use."""
        if not self.is_learnable:
            return ()
        distinct = dict.fromkeys(node.value for node in postorder((self,)) if isinstance(node.value, Parameter))
        return tuple(distinct)

    @property
    def initial_values(self) -> dict[str, float]:
        """The initial value of each parameter, by its name."""
        return {p.name: p.initial for p in self.parameters}


#: A node in evaluation order: operator or kind of leaf, the numbers of its inputs, what a leaf holds.
_Step = tuple[str, tuple[int, ...], float | Parameter | None]

_interned: WeakValueDictionary[tuple[str, tuple[Expression, ...], float | Parameter | None], Expression]
_interned = WeakValueDictionary()


def _intern(op: str, args: tuple[Expression, ...], value: float | Parameter | None) -> Expression:
    key = (op, args, value)
    node = _interned.get(key)
    if node is None:
        node = _interned[key] = Expression(op, args, value)
    return node


def _rebuilt(steps: tuple[_Step, ...]) -> Expression:
    """The expression of a pickle: its nodes in evaluation order, so that no depth is too much."""
    nodes: list[Expression] = []
    for op, inputs, value in steps:
        nodes.append(_intern(op, tuple([nodes[index] for index in inputs]), value))
    return nodes[-1]


def variable() -> Expression:
    """The input ``x``."""
    return _intern("x", (), None)


def constant(value: float) -> Expression:
    """A fixed number.

    Raises:
        ExpressionError: the number is not finite.
    """
    value = float(value)
    if not math.isfinite(value):
        raise ExpressionError(f"a constant must be finite, got {value}")
    return _intern("constant", (), value + 0.0)  # -0.0 + 0.0 is 0.0: one zero


def parameter(name: str, initial: float = 1.0, *, per: Granularity = "layer") -> Expression:
    """A learnable scalar with its initial value."""
    return _intern("parameter", (), Parameter(name, float(initial), per))


def operation(op: str, *args: Expression) -> Expression:
    """An operator applied to as many expressions as it takes, of any depth and size.

    Raises:
        OperatorError: the operator is unknown.
        ExpressionError: the number of arguments is wrong.
    """
    row = find_operator(op)
    if len(args) != row.arity:
        raise ExpressionError(f"{row.name} takes {row.arity} argument(s), got {len(args)}")
    return make_node(row.name, *args)


def make_node(op: str, *args: Expression) -> Expression:
    """A node, as :func:`operation` makes it, without checks: for derivatives, large as trees and small as graphs."""
    return _intern(op, args, None)


def with_args(node: Expression, args: tuple[Expression, ...]) -> Expression:
    """The node with other inputs; itself where they are its own."""
    return node if args == node.args else make_node(node.op, *args)
