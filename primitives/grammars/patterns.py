"""Rules: expressions over the metavariables ``a`` and ``b``, to be written with inputs and matched to expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from primitives.expressions import Expression, Parameter, join, parameter, postorder, preorder

#: The leaves that stand for the inputs of a rule; they occur in patterns only.
METAVARIABLES = {"a": parameter("a"), "b": parameter("b")}
_INPUTS = tuple(METAVARIABLES.values())

Inputs = tuple[Expression | None, ...]


@dataclass(frozen=True, eq=False)
class Rule:
    """One way to write an expression from ``arity`` others.

    Args:
        text: the rule as declared.
        pattern: the expression over the metavariables.
        arity: 0 for a leaf, 1 for a unary rule over ``a``, 2 for a binary rule over ``a`` and ``b``.
    """

    text: str
    pattern: Expression
    arity: int

    @cached_property
    def order(self) -> tuple[Expression, ...]:
        """The distinct nodes of the pattern, inputs before users."""
        return tuple(postorder((self.pattern,)))

    @property
    def uses_all(self) -> bool:
        """Every input occurs in the pattern."""
        return all(leaf in self.order for leaf in _INPUTS[: self.arity])

    @property
    def is_identity(self) -> bool:
        """The rule returns its first input as it is."""
        return self.pattern is _INPUTS[0]

    def write(self, inputs: Sequence[Expression], fresh: Callable[[Parameter], Expression]) -> Expression:
        """The pattern with its metavariables replaced; ``fresh`` makes the leaf for each parameter of the rule."""
        new = dict(zip(_INPUTS, inputs, strict=False))
        for node in self.order:
            if node not in new:
                new[node] = _rebuilt(node, new, fresh)
        return new[self.pattern]

    def match(self, node: Expression) -> Inputs | None:
        """The inputs with which the rule writes the node (None for an input that it ignores), or None.

        A parameter of the rule matches any parameter leaf of the same initial value and granularity. As each use
        of a rule has parameters of its own, the rule and its inputs must not share any.
        """
        bound = _bind(self.pattern, node)
        if bound is None or (node.parameters and not self._separate(bound)):
            return None
        return tuple(bound.get(leaf) for leaf in _INPUTS[: self.arity])

    def _separate(self, bound: dict[Expression, Expression]) -> bool:
        leaves = [leaf for leaf in self.order if isinstance(leaf.value, Parameter)]
        used = [p for leaf in leaves for p in bound[leaf].parameters]
        return len(set(used)) == len(used)

    @cached_property
    def _growth(self) -> tuple[int, list[int], list[int]]:
        """Nodes of the pattern's own, and per input the number of its uses and the levels above the deepest one."""
        nodes = list(preorder(self.pattern))
        uses = [nodes.count(leaf) for leaf in _INPUTS[: self.arity]]
        return len(nodes) - sum(uses), uses, [_levels(self.order, leaf) for leaf in _INPUTS[: self.arity]]

    def size(self, *inputs: int) -> int:
        """Size of the expression written from inputs of these sizes."""
        own, uses, _ = self._growth
        return own + sum(use * size for use, size in zip(uses, inputs, strict=True))

    def depth(self, *inputs: int) -> int:
        """Depth of the expression written from inputs of these depths."""
        _, uses, levels = self._growth
        used = [level + depth for use, level, depth in zip(uses, levels, inputs, strict=True) if use]
        return max([self.pattern.depth, *used])


class Rules:
    """Rules in the order of declaration, found quickly by the operator at their root."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.all = tuple(rules)
        self._by_op: dict[str, tuple[Rule, ...]] = {}

    def matches(self, node: Expression) -> Iterator[tuple[Rule, Inputs]]:
        """Each rule that can write the node, with the inputs that it needs."""
        for rule in self._candidates(node.op):
            inputs = rule.match(node)
            if inputs is not None:
                yield rule, inputs

    def _candidates(self, op: str) -> tuple[Rule, ...]:
        if op not in self._by_op:
            self._by_op[op] = tuple(r for r in self.all if r.pattern in _INPUTS or r.pattern.op == op)
        return self._by_op[op]


def _rebuilt(
    node: Expression, new: dict[Expression, Expression], fresh: Callable[[Parameter], Expression]
) -> Expression:
    if isinstance(node.value, Parameter):
        return fresh(node.value)
    return join(node.op, *[new[arg] for arg in node.args]) if node.args else node


def _bind(pattern: Expression, node: Expression) -> dict[Expression, Expression] | None:
    """The node that each node of the pattern stands for; None where they differ."""
    bound: dict[Expression, Expression] = {}
    stack = [(pattern, node)]
    while stack:
        wanted, found = stack.pop()
        if wanted in bound:
            if bound[wanted] is not found:
                return None
            continue
        if not _fits(wanted, found):
            return None
        bound[wanted] = found
        if wanted.args:
            stack.extend(zip(wanted.args, found.args, strict=True))
    return bound


def _fits(wanted: Expression, found: Expression) -> bool:
    if wanted in _INPUTS:
        return True
    left, right = wanted.value, found.value
    if isinstance(left, Parameter) and isinstance(right, Parameter):
        return (left.initial, left.per_channel) == (right.initial, right.per_channel)
    return wanted.op == found.op and left == right


def _levels(order: Sequence[Expression], leaf: Expression) -> int:
    """Levels from the root of a pattern, given by its nodes in order, down to the deepest use of a leaf."""
    above: dict[Expression, int] = {order[-1]: 0}
    for node in reversed(order):
        for arg in node.args:
            above[arg] = max(above.get(arg, 0), above[node] + 1)
    return above.get(leaf, 0)
