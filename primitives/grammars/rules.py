"""An index of rules: those that can write a given expression, found by the operator at the root."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import final

from primitives.expression.expression import Expression
from primitives.grammars.factors import Factors
from primitives.grammars.patterns import Inputs, Rule, is_input


@final
class Rules:
    """Rules in the order of declaration; each may stand with a factor too, where ``factors`` has any."""

    def __init__(self, rules: Iterable[Rule], factors: Factors | None = None) -> None:
        self.all = tuple(rules)
        self._factors = factors or Factors()
        self._by_op: dict[str, tuple[Rule, ...]] = {}

    def matches(self, node: Expression, separate: bool) -> Iterator[tuple[Rule, Inputs]]:
        """Each rule that can write the node, with the inputs that it needs; see :meth:`Rule.match`."""
        yield from self._plain(node, separate)
        inner = self._factors.below(node)
        if inner is not None:
            yield from ((self._factors.before(rule), inputs) for rule, inputs in self._plain(inner, separate))

    def _plain(self, node: Expression, separate: bool) -> Iterator[tuple[Rule, Inputs]]:
        for rule in self.candidates(node.op):
            inputs = rule.match(node, separate)
            if inputs is not None:
                yield rule, inputs

    def candidates(self, op: str) -> tuple[Rule, ...]:
        """The rules that can write a node of some operator, without factors."""
        if op not in self._by_op:
            self._by_op[op] = tuple(r for r in self.all if is_input(r.pattern) or r.pattern.op == op)
        return self._by_op[op]
