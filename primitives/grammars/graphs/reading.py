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
#: What is still open: the expressions that need a node, the parameters and the learnable initial nodes that have their
#: place already, and how many intermediate nodes are left.
_State = tuple[frozenset[Expression], frozenset[Parameter | Rule], int]
#: The number of intermediate nodes, and the steps, of which each is followed by the rest.
_Found = tuple[int, "_Steps"]
_Steps = tuple[_Step, "_Steps"] | None


def read(space: Space, f: Expression) -> Graph | None:
    """A graph that writes the expression up to the names of its parameters; None where no member does."""
    inputs = space.root.match(f) if space.root else (f,)
    body = inputs[0] if inputs else None
    if body is None or not space.has(Written(body, f)):
        return None
    return _Search(space, body).smallest()


class _Search:
    """The search for the smallest graph; users are looked at before their inputs.

    What is found from a state on is kept, as many choices of rules may lead to one state.
    """

    def __init__(self, space: Space, body: Expression) -> None:
        self._space, self._body = space, body
        self._place = {node: at for at, node in enumerate(reversed(postorder((body,))))}
        self._known: dict[_State, _Found | None] = {}

    def smallest(self) -> Graph | None:
        """The graph, or None where none has so few nodes."""
        found = self._found((frozenset({self._body}), frozenset(), self._space.nodes))
        return self._graph(found[1]) if found else None

    def _found(self, state: _State) -> _Found | None:
        if not state[0]:
            return 0, None
        if state not in self._known:
            self._known[state] = min(self._ways(state), key=lambda found: found[0], default=None)
        return self._known[state]

    def _ways(self, state: _State) -> Iterator[_Found]:
        """The smallest graphs with each rule that may stand at the next node; the first of equals is taken."""
        needed, taken, left = state
        node = min(needed, key=self._place.__getitem__)
        for rule, inputs, own in self._options(node):
            places: frozenset[Parameter | Rule] = frozenset({*own, rule} if own and not rule.arity else own)
            if (rule.arity and not left) or not taken.isdisjoint(places):
                continue
            cost = int(rule.arity > 0)
            rest = self._found(((needed - {node}) | set(inputs), taken | places, left - cost))
            if rest is not None:
                yield rest[0] + cost, ((node, rule, inputs), rest[1])
            if not rule.arity:
                return  # the other leaves that are written so could stand here as well, and nowhere else

    def _options(self, node: Expression) -> Iterator[tuple[Rule, tuple[Expression, ...], tuple[Parameter, ...]]]:
        leaves, rules = _indexed(self._space)
        for rule in (*rules.candidates(node.op), *(leaves.candidates(node.op) if node is not self._body else ())):
            bound = rule.bound(node)
            if bound is not None:
                inputs, own = bound
                yield rule, tuple([each for each in inputs if each is not None]), own

    def _graph(self, steps: _Steps) -> Graph:
        """The nodes of the steps in evaluation order."""
        listed: list[_Step] = []
        while steps is not None:
            listed.append(steps[0])
            steps = steps[1]
        number: dict[Expression, int] = {}
        graph: list[Node] = []
        for expression, rule, inputs in reversed(listed):
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
