"""An expression: an immutable, hash-consed graph of operators over the input, constants and parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from weakref import WeakValueDictionary

from primitives.errors import ExpressionError
from primitives.expression.parameters import Granularity, Parameter
from primitives.expression.printing import to_text
from primitives.expression.traversal import postorder, rewrite
from primitives.operators.axes import ALL_AXES, lost, mask
from primitives.operators.operator import LAYERS, PAIR
from primitives.operators.table import find_operator, needs_formula, reduces

MAX_DEPTH = 100
MAX_SIZE = 400

#: The input, and the second one of a gate.
INPUT_NAMES = ("x", "z")
_NO_INPUTS: frozenset[str] = frozenset()
_INPUT_SETS = {name: frozenset((name,)) for name in INPUT_NAMES}


class Expression:
    """A node and all below it; equal expressions are one object, so ``==`` and ``hash`` go by identity.

    Build one with :func:`primitives.parse`, :func:`variable`, :func:`constant`, :func:`parameter` or
    :func:`primitives.apply`. What it has of its own is its structure and its text; what is computed of it, values,
    canonical form, classes, derivatives, are functions of their own modules.

    Attributes:
        op: operator name, or ``"x"``, ``"z"``, ``"constant"``, ``"parameter"`` for a leaf; or ``"layers"``.
        args: the ordered inputs.
        value: the float of a constant, the :class:`Parameter` of a parameter leaf, else ``None``.
        size: number of nodes of the expression written as a tree.
        depth: number of nodes on the longest path to a leaf.
        has_formulas: an operator below has its value or derivative from a formula; see
            :mod:`primitives.operators.formulas`.
        inputs: those that occur, of ``"x"`` and ``"z"``.
        axes: over which the value may vary, as a mask of :mod:`primitives.operators.axes`; of a number none.
        has_statistics: an operator below reduces axes.
        is_learnable: a parameter occurs.
        is_paired: ``paired`` occurs; it may still be that its derivative is that of its value. See
            :func:`primitives.equivalence.classes.has_own_slope`.
    """

    def __init__(self, op: str, args: tuple[Expression, ...], value: float | Parameter | None) -> None:
        self.op = op
        self.args = args
        self.value = value
        size, depth, has_formulas = 1, 1, needs_formula(op)
        is_learnable, is_paired, has_statistics = isinstance(value, Parameter), op == PAIR, bool(reduces(op))
        inputs = _INPUT_SETS.get(op, _NO_INPUTS)
        axes = ALL_AXES if inputs else mask("c") if isinstance(value, Parameter) and value.per == "channel" else 0
        for arg in args:
            size += arg.size
            if arg.depth >= depth:
                depth = arg.depth + 1
            has_formulas = has_formulas or arg.has_formulas
            if inputs is not arg.inputs:
                inputs = inputs | arg.inputs if inputs else arg.inputs
            axes |= arg.axes
            is_learnable = is_learnable or arg.is_learnable
            has_statistics = has_statistics or arg.has_statistics
            is_paired = is_paired or arg.is_paired
        self.size: int = size
        self.depth: int = depth
        self.has_formulas: bool = has_formulas
        self.inputs: frozenset[str] = inputs
        self.axes: int = lost(axes, reduces(op)) if has_statistics else axes
        self.has_statistics: bool = has_statistics
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

    @property
    def uses_input(self) -> bool:
        """An input occurs."""
        return bool(self.inputs)

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The functions of ``layers(f1, ..., fk)``, one for each run of places; of any other the function itself."""
        return self.args if self.op == LAYERS else (self,)

    @property
    def is_pointwise(self) -> bool:
        """One function of one number, the same in every place, whatever its derivative is."""
        return not self.has_statistics and "z" not in self.inputs and self.op != LAYERS

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
    def operands(self) -> tuple[str, ...]:
        """The names of what a value needs beside ``x``: ``"z"`` if it occurs, then the parameters."""
        return (*(("z",) if "z" in self.inputs else ()), *(p.name for p in self.parameters))

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


def variable(name: str = "x") -> Expression:
    """The input ``x``, or ``z``, the second one of a gate."""
    return _intern(name, (), None)


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
    """An operator applied to as many expressions as it takes, of any depth and size; or ``layers`` at some.

    Raises:
        OperatorError: the operator is unknown.
        ExpressionError: the number of arguments is wrong, or ``layers`` stands within an expression.
    """
    if any(arg.op == LAYERS for arg in args):
        raise ExpressionError(f"{LAYERS}(...) holds one function per place, so it stands at the front of an expression")
    if op == LAYERS:
        if not args:
            raise ExpressionError(f"{LAYERS} takes one function per place, or per run of places, got none")
        return make_node(LAYERS, *args)
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


def at_place(root: Expression, number: int, places: int) -> Expression:
    """The function of one of some places in order: ``layers(f1, ..., fk)`` gives each part an equal run of them.

    Place ``number``, counted from 0, takes part ``number * k // places``. Any other expression is the same everywhere.
    """
    return root.parts[number * len(root.parts) // places]


def with_values(root: Expression, values: Mapping[str, float]) -> Expression:
    """The expression with numbers in place of its parameters, by name; those that are not named stay.

    Raises:
        ExpressionError: a number is not finite.
    """

    def change(node: Expression, args: tuple[Expression, ...]) -> Expression:
        if isinstance(node.value, Parameter) and node.value.name in values:
            return constant(values[node.value.name])
        return with_args(node, args)

    return rewrite(root, change)
