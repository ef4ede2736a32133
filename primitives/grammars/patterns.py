"""Rules: expressions over the metavariables ``a`` and ``b``, to be written with inputs and matched to expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

from primitives.expression.expression import Expression, make_node, parameter
from primitives.expression.parameters import Parameter
from primitives.expression.traversal import postorder, preorder
from primitives.operators.formulas import expand

#: The leaves that stand for the inputs of a rule; they occur in patterns only.
METAVARIABLES = {"a": parameter("a"), "b": parameter("b")}
MAX_ARITY = 16  # of layers(...); all other rules have two inputs at most
INPUTS = (*METAVARIABLES.values(), *(parameter(f"a{number}") for number in range(3, MAX_ARITY + 1)))
_INPUTS = frozenset(INPUTS)

Inputs = tuple[Expression | None, ...]


@dataclass(frozen=True, eq=False)
class Rule:
    """One way to write an expression from ``arity`` others.

    Args:
        text: the rule as declared.
        pattern: the expression over the metavariables.
        arity: 0 for a leaf, 1 for a rule over ``a``, 2 for one over ``a`` and ``b``; that of ``layers`` has more.
        plain: the rule that this one writes a learnable factor before, or None.
        is_root: it stands at the root of all derivations of a template, and bears no factor.
    """

    text: str
    pattern: Expression
    arity: int
    plain: Rule | None = None
    is_root: bool = False

    @cached_property
    def order(self) -> tuple[Expression, ...]:
        """The distinct nodes of the pattern, inputs before users."""
        return tuple(postorder((self.pattern,)))

    @cached_property
    def leaves(self) -> tuple[int | Parameter, ...]:
        """The numbers of the inputs and the parameters of the pattern, in the order of their first use."""
        inputs = INPUTS[: self.arity]
        leaves = [inputs.index(node) if node in inputs else node.value for node in self.order]
        return tuple(leaf for leaf in leaves if isinstance(leaf, int | Parameter))

    @cached_property
    def uses(self) -> tuple[bool, ...]:
        """For each input whether it occurs in the pattern."""
        return tuple(number in self.leaves for number in range(self.arity))

    @property
    def is_identity(self) -> bool:
        """The rule returns its first input as it is."""
        return self.pattern is INPUTS[0]

    def write(self, leaves: Sequence[Expression]) -> Expression:
        """The pattern with its :attr:`leaves` replaced, in their order."""
        fixed, steps, root = self._program
        registers = [*leaves, *fixed]
        for op, args in steps:
            registers.append(make_node(op, *[registers[i] for i in args]))
        return registers[root]

    @cached_property
    def _program(self) -> tuple[list[Expression], list[tuple[str, tuple[int, ...]]], int]:
        """Nodes that are always the same, then one operator for each other node; the register of the root."""
        changing = [node for node in self.order if not node.args and isinstance(node.value, Parameter)]
        fixed = [node for node in self.order if not node.args and node not in changing]
        register = {node: number for number, node in enumerate([*changing, *fixed])}
        steps = []
        for node in self.order:
            if node.args:
                steps.append((node.op, tuple(register[arg] for arg in node.args)))
                register[node] = len(register)
        return fixed, steps, register[self.pattern]

    def match(self, node: Expression, separate: bool = True) -> Inputs | None:
        """The inputs with which the rule writes the node (None for an input that it ignores), or None.

        A parameter of the rule matches any parameter leaf of the same initial value and granularity. As each use
        of a rule has parameters of its own, the rule and its inputs must not share any; that is checked where
        ``separate`` is true.
        """
        if self._is_call and not separate:
            return node.args if node.op == self.pattern.op else None
        if is_input(self.pattern):
            return tuple(node if leaf is self.pattern else None for leaf in INPUTS[: self.arity])
        bound = _bind(self.pattern, node)
        if bound is None or (separate and not self._separate(bound)):
            return None
        return tuple(bound.get(leaf) for leaf in INPUTS[: self.arity])

    def bound(self, node: Expression) -> tuple[Inputs, tuple[Parameter, ...]] | None:
        """The inputs as :meth:`match` gives them, which may share parameters, and those of this use of the rule."""
        found = _bind(self.pattern, node)
        if found is None:
            return None
        own = [found[leaf].value for leaf in self.order if isinstance(leaf.value, Parameter) and not is_input(leaf)]
        parameters = tuple([each for each in own if isinstance(each, Parameter)])
        if len(set(parameters)) < len(parameters):
            return None
        return tuple(found.get(leaf) for leaf in INPUTS[: self.arity]), parameters

    @cached_property
    def _is_call(self) -> bool:
        """The pattern is one operator at the inputs in their order."""
        return self.arity > 0 and self.pattern.args == INPUTS[: self.arity]

    def _separate(self, bound: dict[Expression, Expression]) -> bool:
        leaves = [leaf for leaf in self.order if isinstance(leaf.value, Parameter)]
        used = [p for leaf in leaves for p in bound[leaf].parameters]
        return len(set(used)) == len(used)

    def size(self, *inputs: int) -> int:
        """Size, with operators' formulas written out, of the expression written from inputs of these sizes."""
        return self._written.size(*inputs)

    def depth(self, *inputs: int) -> int:
        """Depth, with operators' formulas written out, of the expression written from inputs of these depths."""
        return self._written.depth(*inputs)

    def levels(self, *inputs: int) -> int:
        """Depth, as it is printed, of the expression written from inputs of these depths."""
        return self._printed.depth(*inputs)

    @cached_property
    def _written(self) -> _Growth:
        return _Growth(expand(self.pattern, "canonical"), self.arity)

    @cached_property
    def _printed(self) -> _Growth:
        return _Growth(self.pattern, self.arity)


@final
class _Growth:
    """How large an expression becomes that a pattern writes."""

    def __init__(self, pattern: Expression, arity: int) -> None:
        nodes, order = list(preorder(pattern)), postorder((pattern,))
        self._uses = [nodes.count(leaf) for leaf in INPUTS[:arity]]
        self._above = [_levels(order, leaf) for leaf in INPUTS[:arity]]
        self._fixed, self._depth = len(nodes) - sum(self._uses), pattern.depth

    def size(self, *inputs: int) -> int:
        return self._fixed + sum(use * size for use, size in zip(self._uses, inputs, strict=True))

    def depth(self, *inputs: int) -> int:
        used = [above + depth for use, above, depth in zip(self._uses, self._above, inputs, strict=True) if use]
        return max([self._depth, *used])


def is_input(pattern: Expression) -> bool:
    """True for a metavariable: a pattern that any expression fits."""
    return pattern in _INPUTS


def same_parameter(left: Parameter, right: Parameter) -> bool:
    """Equal up to the name."""
    return (left.initial, left.per) == (right.initial, right.per)


def _bind(pattern: Expression, node: Expression) -> dict[Expression, Expression] | None:
    """The node that each node of the pattern stands for; None where they differ."""
    bound: dict[Expression, Expression] = {}
    stack = [(pattern, node)]
    while stack:
        wanted, candidate = stack.pop()
        if wanted in bound:
            if bound[wanted] is not candidate:
                return None
            continue
        if not _fits(wanted, candidate):
            return None
        bound[wanted] = candidate
        if wanted.args:
            stack.extend(zip(wanted.args, candidate.args, strict=True))
    return bound


def _fits(wanted: Expression, node: Expression) -> bool:
    if is_input(wanted):
        return True
    left, right = wanted.value, node.value
    if isinstance(left, Parameter) and isinstance(right, Parameter):
        return same_parameter(left, right)
    return wanted.op == node.op and left == right


def _levels(order: Sequence[Expression], leaf: Expression) -> int:
    """Levels from the root of a pattern, given by its nodes in order, down to the deepest use of a leaf."""
    above: dict[Expression, int] = {order[-1]: 0}
    for node in reversed(order):
        for arg in node.args:
            above[arg] = max(above.get(arg, 0), above[node] + 1)
    return above.get(leaf, 0)
