"""The members of a table as a grammar, so that a strategy searches among functions whose scores are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from primitives.equivalence.classes import class_of
from primitives.expression.expression import Expression
from primitives.grammars import Grammar
from primitives.grammars.template import Rng
from search.tabular.score_table import Table, place_of

TRIES = 5  # children of a parent, until one is of an untried member's class
NEAREST = 4  # untried members of the nearest shapes, of which one stands for a child that is no member
DERIVATIONS = 20_000  # of a grammar that a walk looks through for members: about 10 s


@dataclass(frozen=True, slots=True, eq=False)
class Members(Grammar):
    """A grammar cut down to the untried members of a table.

    A sample is one of them, each with the same probability. A mutation or crossing is one of the whole grammar: up to
    five are drawn until one is of an untried member's class. Where none is, the last one's place is taken by one of the
    four untried members of the nearest shape, by lot. So that neighbourhoods are the grammar's where the table is most
    of it, and similar functions where it is a small sample; a uniform draw there would make every strategy that
    mutates a random one. Decision vectors are the whole grammar's and may decode to what is no member.

    Args:
        table: known scores.
        untried: of each row; the replay clears it.
        counts: of children by whether they are ``"own"`` or ``"nearest"``.
    """

    table: Table
    untried: NDArray[np.bool_]
    counts: dict[str, int] = field(default_factory=lambda: {"own": 0, "nearest": 0})

    @classmethod
    def of(cls, table: Table, source: Grammar, untried: NDArray[np.bool_]) -> Members:
        """The untried members of a table within a grammar."""
        return cls(
            source.name, source.description, source.source, source.templates, source.mutations, source.coder,
            source.constraint, table, untried,
        )  # fmt: skip

    def row(self, expression: Expression) -> int | None:
        """The row of the untried member of an expression's class; None if there is none."""
        row = self.table.row.get(class_of(expression, exact=self.table.exact))
        return row if row is not None and self.untried[row] else None

    def draw(self, rng: Rng) -> int:
        """The row of an untried member, each with the same probability."""
        return int(rng.choice(np.flatnonzero(self.untried)))

    def sample(self, rng: Rng, size: int | None = None) -> Expression:
        return self.table.expressions[self.draw(rng)]

    def mutate(self, f: Expression, rng: Rng, kind: str | None = None) -> Expression:
        return self._child(lambda: super(Members, self).mutate(f, rng, kind), rng)

    def crossover(self, f: Expression, g: Expression, rng: Rng) -> Expression:
        return self._child(lambda: super(Members, self).crossover(f, g, rng), rng)

    def enumerate(self) -> Iterator[Expression]:
        """The members in the grammar's order, tried or not; at the end those that its first 20,000 have not."""
        left = dict(self.table.row)
        for expression in islice(super(Members, self).enumerate(), DERIVATIONS):
            row = left.pop(class_of(expression, exact=self.table.exact), None)
            if row is not None:
                yield self.table.expressions[row]
        yield from (self.table.expressions[row] for row in left.values())

    def _child(self, draw: Callable[[], Expression], rng: Rng) -> Expression:
        for _ in range(TRIES):
            child = draw()
            if (row := self.row(child)) is not None:
                self.counts["own"] += 1
                return self.table.expressions[row]
        self.counts["nearest"] += 1
        return self._near(child, rng)

    def _near(self, expression: Expression, rng: Rng) -> Expression:
        distances = self.table.distances(place_of(expression, exact=self.table.exact))
        distances[~self.untried] = np.inf
        count = min(NEAREST, int(self.untried.sum()))
        nearest = np.argpartition(distances, count - 1)[:count]
        return self.table.expressions[int(rng.choice(nearest))]
