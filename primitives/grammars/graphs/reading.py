"""Reading: the smallest graph that writes an expression, without the nodes that its output does not need.

Each distinct part of the expression is one node at most. Where several rules could stand at a node, all are tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from primitives.expression.expression import Expression
from primitives.expression.parameters import Parameter
from primitives.expression.traversal import postorder
from primitives.grammars.graphs.graph import Graph, Node
from primitives.grammars.graphs.space import Space, Written
from primitives.grammars.patterns import Rule
from primitives.grammars.rules import Rules

#: A node of the expression, the rule that writes it, and the rule's inputs.
_Step = tuple[Expression, Rule, tuple[Expression, ...]]


def read(space: Space, f: Expression) -> Graph | None:
    """A graph that writes the expression up to the names of its parameters; None where no member does."""
    inputs = space.root.match(f) if space.root else (f,)
    body = inputs[0] if inputs else None
    if body is None or not space.has(Written(body, f)):
        return None
    return _Search(space, body).smallest()


class _Search:
    """The search for the smallest graph; users are looked at before their inputs."""

    def __init__(self, space: Space, body: Expression) -> None:
        self._space, self._body = space, body
        self._order = postorder((body,))[::-1]
        self._most = space.nodes
        self._path: list[_Step] = []
        self._best: list[_Step] | None = None

    def smallest(self) -> Graph | None:
        """The graph, or None."""
        self._look(0, frozenset({self._body}), frozenset(), frozenset())
        return None if self._best is None else self._graph(self._best)

    def _look(
        self, at: int, needed: frozenset[Expression], taken: frozenset[Parameter], initial: frozenset[Rule]
    ) -> None:
        """Find rules for the nodes from a place on.

        Args:
            at: the place.
            needed: the expressions that need one.
            taken: the parameters that have a node, or stand in the rule of one.
            initial: the initial nodes that are there.
        """
        while at < len(self._order) and self._order[at] not in needed:
            at += 1
        if sum(rule.arity > 0 for _, rule, _ in self._path) > self._most:
            return
        if at == len(self._order):
            self._best = list(self._path)
            self._most = sum(rule.arity > 0 for _, rule, _ in self._path) - 1
            return
        for rule, inputs, own in self._options(self._order[at]):
            if not taken.isdisjoint(own) or rule in initial:
                continue
            self._path.append((self._order[at], rule, inputs))
            self._look(at + 1, needed | set(inputs), taken | set(own), initial if rule.arity else initial | {rule})
            self._path.pop()

    def _options(self, node: Expression) -> Iterator[tuple[Rule, tuple[Expression, ...], tuple[Parameter, ...]]]:
        leaves, rules = _indexed(self._space)
        for rule in (*rules.candidates(node.op), *(leaves.candidates(node.op) if node is not self._body else ())):
            bound = rule.bound(node)
            if bound is not None:
                inputs, own = bound
                yield rule, tuple([each for each in inputs if each is not None]), own

    def _graph(self, steps: list[_Step]) -> Graph:
        """The nodes of the steps in evaluation order."""
        number: dict[Expression, int] = {}
        graph: list[Node] = []
        for expression, rule, inputs in reversed(steps):
            if rule.arity:
                number[expression] = self._space.first + len(graph)
                graph.append(Node(rule, tuple([number[each] for each in inputs])))
            else:
                number[expression] = self._space.initial.index(rule)
        return tuple(graph)


@lru_cache(maxsize=64)
def _indexed(space: Space) -> tuple[Rules, Rules]:
    """The initial nodes and the operators, to be found by the operator at the root of an expression."""
    return Rules(space.initial), Rules(space.rules)
