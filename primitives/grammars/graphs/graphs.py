"""Graphs as a part of a grammar: one graph, or one for each function of ``layers(...)``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from primitives.errors import GrammarError
from primitives.expression.expression import Expression, make_node
from primitives.grammars.graphs.counting import count
from primitives.grammars.graphs.graph import Graph
from primitives.grammars.graphs.reading import read
from primitives.grammars.graphs.space import Space
from primitives.grammars.graphs.variation import crossed, filled, resampled
from primitives.grammars.parts.part import Part
from primitives.grammars.template import Rng, pick
from primitives.operators.operator import LAYERS

_DRAWS = 20_000  # for a member; of 1,000 graphs of EvoNorm 110 are members


@final
class Graphs(Part[Sequence[Graph]]):
    """All graphs of a space that vary over all axes and keep to the limits of an expression.

    The size of a graph is the number of its intermediate nodes, seen or not.

    Args:
        name: of the template.
        space: what the graphs are made of.
    """

    def __init__(self, name: str, space: Space) -> None:
        self.name, self.space = name, space
        self.kinds = {"node": 1.0}

    def count(self, size: int | None = None) -> int:
        """Number of graphs; those above the limits of an expression are counted, too."""
        return count(self.space) ** self.space.functions if size in (None, *self.sizes()) else 0

    def sizes(self) -> tuple[int, ...]:
        return (self.space.nodes * self.space.functions,)

    def enumerate(self) -> Iterator[Expression]:
        """The last node of the last graph changes first."""
        return self._rows(())

    def _rows(self, parts: tuple[Expression, ...]) -> Iterator[Expression]:
        if len(parts) == self.space.functions:
            yield self._layers(parts)
            return
        for graph in self.space.all():
            written = self.space.write(graph)
            if self.space.has(written):
                yield from self._rows((*parts, written.whole))

    def sample(self, rng: Rng, size: int | None = None) -> Expression:
        """Each graph is drawn node by node, and again until it is a member."""
        return self._layers([self._member(rng) for _ in range(self.space.functions)])

    def _member(self, rng: Rng) -> Expression:
        for _ in range(_DRAWS):
            written = self.space.write(self.space.random(rng))
            if self.space.has(written):
                return written.whole
        raise GrammarError(
            f"{self.name}: of {_DRAWS:,} graphs none varies over all of examples, channels and positions; give the "
            "grammar fewer statistics, or fewer constants and parameters"
        )

    def joined(self, graphs: Sequence[Graph]) -> Expression:
        """The expression of as many graphs as there are functions."""
        return self._layers([self.space.write(graph).whole for graph in graphs])

    def _layers(self, parts: Sequence[Expression]) -> Expression:
        return parts[0] if self.space.functions == 1 else make_node(LAYERS, *parts)

    def read(self, expression: Expression) -> Sequence[Graph] | None:
        """The smallest graphs that write it, without nodes that are not seen."""
        if len(expression.parts) != self.space.functions or (expression.op == LAYERS) != (self.space.functions > 1):
            return None
        graphs = [read(self.space, part) for part in expression.parts]
        found = [graph for graph in graphs if graph is not None]
        return found if len(found) == len(graphs) else None

    def written(self, reading: Sequence[Graph], rng: Rng) -> Expression:
        return self.joined(reading)

    def changed(self, reading: Sequence[Graph], kind: str, rng: Rng) -> Expression | None:
        """One node of one graph drawn anew; those that were not seen are drawn before."""
        at = pick(range(len(reading)), rng)
        changed = resampled(self.space, *filled(self.space, reading[at], rng), rng)
        return None if changed is None else self.joined([*reading[:at], changed, *reading[at + 1 :]])

    def crossed(self, first: Sequence[Graph], second: Sequence[Graph], rng: Rng) -> Expression:
        """One graph crossed with that of the other parent, each of the others from one parent or the other.

        Small graphs may have no child but themselves; there a node is drawn anew.
        """
        at = pick(range(len(first)), rng)
        graphs = [pick(pair, rng) for pair in zip(first, second, strict=True)]
        child = crossed(self.space, first[at], second[at], rng)
        if child is None:
            return self.changed(first, "node", rng) or self.joined(first)
        return self.joined([*graphs[:at], child, *graphs[at + 1 :]])
