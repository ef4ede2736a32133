"""Variation: graphs whose unseen nodes are drawn, one node drawn anew, and one graph put into another."""

from __future__ import annotations

from itertools import product

from primitives.grammars.graphs.graph import Graph, Node, live, moved
from primitives.grammars.graphs.space import Space
from primitives.grammars.template import Rng, pick

_TRIES = 200  # a node that makes no member is drawn again so often


def filled(space: Space, graph: Graph, rng: Rng) -> tuple[Graph, list[int]]:
    """A graph of all nodes that writes what one without unseen nodes does, and the places of those that are seen.

    The places are uniform, and so is at each step the choice among the nodes whose inputs are there.
    """
    places = [*sorted(rng.permutation(space.nodes - 1)[: len(graph) - 1].tolist()), space.nodes - 1]
    full = space.drawn(range(space.nodes), rng)
    onto: dict[int, int] = {}
    left = dict(enumerate(graph, space.first))
    for place in places:
        ready = [number for number, node in left.items() if not any(each in left for each in node.inputs)]
        number = pick(ready, rng)
        node = left.pop(number)
        full[place] = Node(node.rule, tuple([onto.get(each, each) for each in node.inputs]))
        onto[number] = space.first + place
    return tuple(full), places


def resampled(space: Space, graph: Graph, places: list[int], rng: Rng) -> Graph | None:
    """A member of the space that differs in the operator and the inputs of one node: the mutation of EvoNorm.

    Args:
        space: of the graph.
        graph: all its nodes.
        places: of those that are seen, one of which is drawn anew; another would change nothing.
        rng: the only source of randomness.
    """
    for _ in range(_TRIES):
        place = pick(places, rng)
        changed = (*graph[:place], *space.drawn([place], rng), *graph[place + 1 :])
        if changed[place] != graph[place] and space.accepts(changed):
            return changed
    return None


def crossed(space: Space, graph: Graph, other: Graph, rng: Rng) -> Graph | None:
    """The graph with a node of the other, and what that needs, in the place of one of its own, wherever it is used.

    The first pair that makes a member other than both is taken, in random order; None where none does.

    Args:
        space: of both.
        graph: its nodes that are seen.
        other: likewise.
        rng: the only source of randomness.
    """
    output = space.first + len(other) - 1
    theirs = sorted({output, *(number for node in other for number in node.inputs)})
    pairs = list(product(range(space.first, space.first + len(graph)), theirs))
    parents = [space.write(each).body for each in (graph, other)]
    for index in rng.permutation(len(pairs)).tolist():
        child = _put(space, graph, pairs[index][0], other, pairs[index][1])
        if 0 < len(child) <= space.nodes and space.accepts(child) and space.write(child).body not in parents:
            return child
    return None


def _put(space: Space, graph: Graph, own: int, other: Graph, theirs: int) -> Graph:
    """The graph in which a node of the other stands for one of its own, without nodes that are not needed then."""
    first, onto = space.first, dict[int, int]()
    joined = list(moved([(number, other[number - first]) for number in live(other, first, theirs)], first, onto))
    if own == first + len(graph) - 1:
        return tuple(joined)
    new = {own: onto.get(theirs, theirs)}
    for number, node in enumerate(graph, first):
        if number != own:
            new[number] = first + len(joined)
            joined.append(Node(node.rule, tuple([new.get(each, each) for each in node.inputs])))
    needed = live(tuple(joined), first)
    return moved([(number, joined[number - first]) for number in needed], first, {})
