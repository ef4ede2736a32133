"""A graph: intermediate nodes in order, each an operator at earlier nodes; the last one is the output.

The nodes are numbered: first the initial ones, such as ``x``, which are the same in all graphs of a space, then the
intermediate ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from primitives.grammars.patterns import Rule


@dataclass(frozen=True, slots=True)
class Node:
    """An intermediate node.

    Args:
        rule: its operator.
        inputs: the numbers of the nodes that it is applied to, as many as the rule takes.
    """

    rule: Rule
    inputs: tuple[int, ...]


#: The intermediate nodes in order.
Graph = tuple[Node, ...]


def live(graph: Graph, first: int, output: int | None = None) -> list[int]:
    """The numbers of the intermediate nodes that a node needs, itself among them, ascending.

    Args:
        graph: the intermediate nodes.
        first: the number of the first of them: how many initial nodes there are.
        output: the number of the node; the last one where it is not given.
    """
    needed = {first + len(graph) - 1 if output is None else output}
    for number in reversed(range(first, first + len(graph))):
        if number in needed:
            needed.update(graph[number - first].inputs)
    return sorted(number for number in needed if number >= first)


def moved(nodes: Sequence[tuple[int, Node]], first: int, onto: dict[int, int]) -> Graph:
    """Nodes, with their numbers, as a graph of their own.

    Args:
        nodes: in an order in which inputs stand before users.
        first: how many initial nodes there are.
        onto: new numbers by old ones, of intermediate nodes that are already there; those of the nodes are put in.
    """
    graph: list[Node] = []
    for number, node in nodes:
        onto[number] = first + len(graph)
        graph.append(Node(node.rule, tuple([onto.get(each, each) for each in node.inputs])))
    return tuple(graph)
