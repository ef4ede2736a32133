"""The view of an expression as a graph of networkx."""

from __future__ import annotations

from typing import TYPE_CHECKING

from primitives.expression.expression import Expression
from primitives.expression.traversal import postorder

if TYPE_CHECKING:
    import networkx as nx


def to_networkx(expression: Expression) -> nx.DiGraph[int]:
    """Directed acyclic graph, node -> input; each edge has ``arguments``, the argument positions that it fills.

    Nodes are integers in evaluation order (the root comes last) with attributes ``op`` and ``value``.
    """
    import networkx as nx  # slow to import, and of no use to a search

    graph: nx.DiGraph[int] = nx.DiGraph()
    number = {node: index for index, node in enumerate(postorder((expression,)))}
    for node, index in number.items():
        graph.add_node(index, op=node.op, value=node.value)
        for position, arg in enumerate(node.args):
            if graph.has_edge(index, number[arg]):
                graph.edges[index, number[arg]]["arguments"].append(position)
            else:
                graph.add_edge(index, number[arg], arguments=[position])
    return graph
