"""A space of graphs: what they are made of, how they are written, and which of them are members.

The space of EvoNorm (Liu, Brock, Simonyan, Le 2020, arXiv 2004.02967) is one: ``x``, 0 and two vectors are its initial
nodes, ten intermediate nodes follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from primitives.expression.expression import Expression
from primitives.expression.parameters import Parameter
from primitives.grammars.derivation import X, numbered
from primitives.grammars.graphs.graph import Graph, Node
from primitives.grammars.parts.limits import is_within
from primitives.grammars.patterns import Rule
from primitives.grammars.template import Rng
from primitives.operators.axes import ALL_AXES

MAX_NODES = 32


@dataclass(frozen=True, slots=True)
class Written:
    """What a graph writes.

    Args:
        body: of its output.
        whole: the same below the root of the space.
    """

    body: Expression
    whole: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """All graphs of some nodes.

    Args:
        nodes: the number of intermediate nodes.
        initial: the initial nodes, ``x`` the first of them: rules without inputs. A parameter among them is one node,
            however often it is used.
        rules: the operators, rules that use all their inputs. A parameter of a rule is another one in each node.
        root: a rule that stands above the output of each graph, or None.
        functions: how many graphs make one expression, as ``layers(...)``; the limits are for all of them.
    """

    nodes: int
    initial: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    root: Rule | None = None
    functions: int = 1

    @property
    def first(self) -> int:
        """The number of the first intermediate node."""
        return len(self.initial)

    def drawn(self, places: Sequence[int], rng: Rng) -> list[Node]:
        """Nodes at some places, counted from 0: operators uniform among all, inputs among all earlier nodes."""
        limits = [limit for place in places for limit in (len(self.rules), self.first + place, self.first + place)]
        numbers = rng.integers(limits).tolist()
        rows = [(self.rules[numbers[at]], numbers[at + 1 : at + 3]) for at in range(0, len(numbers), 3)]
        return [Node(rule, tuple(inputs[: rule.arity])) for rule, inputs in rows]

    def random(self, rng: Rng) -> Graph:
        """A graph whose nodes are drawn by themselves; its expression need not be a member."""
        return tuple(self.drawn(range(self.nodes), rng))

    def all(self, begun: Graph = ()) -> Iterator[Graph]:
        """Every graph that begins with some nodes, member or not; the last node changes first."""
        if len(begun) == self.nodes:
            yield begun
            return
        for rule in self.rules:
            for inputs in product(range(self.first + len(begun)), repeat=rule.arity):
                yield from self.all((*begun, Node(rule, inputs)))

    def write(self, graph: Graph) -> Written:
        """The expressions of a graph; nodes that the output does not need are not seen in it.

        Parameters are named ``v``, ``v2``, ... in the order of their first use, so that all graphs of one function text
        write one expression.
        """
        writer = _Writer(self, graph)
        whole = writer.root() if self.root else writer.node(self.first + len(graph) - 1)
        return Written(writer.node(self.first + len(graph) - 1), whole)

    def has(self, written: Written) -> bool:
        """True if a member is written: its output varies over all axes, and it keeps to the limits."""
        return written.body.axes == ALL_AXES and is_within(written.whole, self.functions)

    def accepts(self, graph: Graph) -> bool:
        """True if the graph writes a member."""
        return self.has(self.write(graph))


class _Writer:
    """Writes one graph; a node that is used twice is written once."""

    def __init__(self, space: Space, graph: Graph) -> None:
        self._space, self._graph = space, graph
        self._built: dict[int, Expression] = {}
        self._used: dict[str, int] = {}

    def node(self, number: int) -> Expression:
        """The expression of a node."""
        if number not in self._built:
            first = self._space.first
            initial = number < first
            node = Node(self._space.initial[number], ()) if initial else self._graph[number - first]
            self._built[number] = self._above(node.rule, node.inputs)
        return self._built[number]

    def root(self) -> Expression:
        """The root above the output."""
        assert self._space.root is not None
        return self._above(self._space.root, (self._space.first + len(self._graph) - 1,))

    def _above(self, rule: Rule, inputs: Sequence[int]) -> Expression:
        if rule is X:
            return X.pattern
        return rule.write(
            [self.node(inputs[each]) if isinstance(each, int) else self._own(each) for each in rule.leaves]
        )

    def _own(self, p: Parameter) -> Expression:
        self._used[p.name] = self._used.get(p.name, 0) + 1
        return numbered(p, self._used[p.name])
