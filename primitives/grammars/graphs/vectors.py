"""Vectors of graphs: for each intermediate node its operator and its inputs.

``operator3`` is the operator of the third node, ``first3`` and ``second3`` are its inputs: the text of an initial node,
or ``node1``, ``node2``. Nodes that the output needs come first, the output last. In ``layers(...)`` the nodes of the
second function follow those of the first, and each function counts its own.

A choice that is impossible stands for the one whose number among the possible ones is its own modulo how many they
are. Impossible is what makes an expression too large, and at the output what does not vary over all axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import final

from primitives.expression.expression import Expression
from primitives.grammars.graphs.graph import Graph, Node
from primitives.grammars.graphs.graphs import Graphs
from primitives.grammars.graphs.space import Space
from primitives.grammars.parts.decision import Decision, Vectors
from primitives.grammars.parts.limits import is_within
from primitives.grammars.template import Choice, chosen

_X = 0  # the number of x, the first initial node
_WORDS = ("operator", "first", "second")


@final
class GraphVectors(Vectors[Sequence[Graph]]):
    """Turns graphs into vectors and back.

    Args:
        graphs: at least one template.
    """

    def __init__(self, graphs: Sequence[Graphs]) -> None:
        self._graphs = {each.name: each for each in graphs}
        spaces = [each.space for each in graphs]  # of one grammar: they differ in the number of nodes
        operators = tuple(rule.text for rule in spaces[0].rules)
        decisions: list[Decision] = []
        for at in range(max(space.nodes * space.functions for space in spaces)):
            before = max(at % space.nodes for space in spaces if at < space.nodes * space.functions)
            texts = _texts(spaces[0], before)
            of_node = zip(_WORDS, (operators, texts, texts), strict=True)
            decisions += [Decision(f"{word}{at + 1}", choices) for word, choices in of_node]
        self.decisions = tuple(decisions)

    def encoded(self, name: str, reading: Sequence[Graph]) -> dict[str, str] | None:
        space = self._graphs[name].space
        vector: dict[str, str] = {}
        for start, graph in zip(range(1, 1 + space.nodes * space.functions, space.nodes), reading, strict=True):
            places = [*range(len(graph) - 1), space.nodes - 1]
            texts = [*(rule.text for rule in space.initial), *(f"node{place + 1}" for place in places)]
            for place, node in zip(places, graph, strict=True):
                vector[f"operator{start + place}"] = node.rule.text
                for word, number in zip(_WORDS[1:], node.inputs, strict=False):
                    vector[f"{word}{start + place}"] = texts[number]
        return vector

    def decoded(self, name: str, vector: Mapping[str, Choice]) -> Expression:
        part = self._graphs[name]
        graphs: list[Graph] = []
        for start in range(1, 1 + part.space.nodes * part.space.functions, part.space.nodes):
            numbers = range(start, start + part.space.nodes)
            graphs.append(_graph(part.space, [[vector[f"{w}{n}"] for w in _WORDS] for n in numbers]))
        return part.joined(graphs)


def _texts(space: Space, nodes: int) -> tuple[str, ...]:
    """The texts of the initial nodes and of so many intermediate ones."""
    return (*(rule.text for rule in space.initial), *(f"node{number}" for number in range(1, nodes + 1)))


def _graph(space: Space, rows: Sequence[Sequence[Choice]]) -> Graph:
    """The graph of the decisions of its nodes."""
    graph: Graph = ()
    for place, row in enumerate(rows):
        is_output = place == space.nodes - 1
        graph = (*graph, _node(space, graph, row, space.accepts if is_output else _keeps(space)))
    return graph


def _keeps(space: Space) -> Callable[[Graph], bool]:
    return lambda graph: is_within(space.write(graph).whole, space.functions)


def _node(space: Space, graph: Graph, row: Sequence[Choice], is_possible: Callable[[Graph], bool]) -> Node:
    """The node that is chosen; what is not possible with ``x`` as the inputs that are still open is left out."""
    texts = _texts(space, len(graph))
    given = next((rule for rule in space.rules if rule.text == row[0][0]), None)
    if given is not None and all(text in texts for text, _ in row[1 : 1 + given.arity]):
        node = Node(given, tuple([texts.index(text) for text, _ in row[1 : 1 + given.arity]]))
        if is_possible((*graph, node)):
            return node
    rule = chosen([rule for rule in space.rules if is_possible((*graph, Node(rule, (_X,) * rule.arity)))], row[0])
    inputs: tuple[int, ...] = ()
    for text, number in row[1 : 1 + rule.arity]:
        rest = (_X,) * (rule.arity - len(inputs) - 1)
        possible = [n for n in range(len(texts)) if is_possible((*graph, Node(rule, (*inputs, n, *rest))))]
        named = texts.index(text) if text in texts else None
        inputs = (*inputs, named if named in possible else possible[number % len(possible)])
    return Node(rule, inputs)
