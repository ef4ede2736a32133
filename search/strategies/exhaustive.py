"""Exhaustive search: a countable grammar in its own order, as Ramachandran et al. 2017 walk their small spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from itertools import chain, islice
from typing import ClassVar

import numpy as np

from primitives.equivalence.canonical import canonical
from primitives.expression.expression import Expression
from primitives.grammars import Grammar
from primitives.quoting import quoted
from search.strategies.base import Proposal, Result, Strategy

SHUFFLED = 200_000  #: derivations at most, as a shuffled walk holds their order: 0.1 GB and half a minute


class Exhaustive(Strategy):
    """Every derivation of the grammar without learnable factors, one after the other, until none is left.

    Each cohort goes on behind the last candidate that was accepted before it, so that a resumed job proposes the same;
    it walks there from the beginning once, which takes about 0.1 ms a derivation.

    Args:
        grammar: where expressions come from.
        order: ``"grammar"``, its own, or ``"shuffled"``, that of a hash of the texts: at any time a sample without
            replacement, the same in each job.
    """

    walks = True
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"order": ("grammar", "shuffled")}

    def __init__(self, grammar: Grammar, *, order: str = "grammar") -> None:
        super().__init__(grammar)
        self.order = order
        self._walk: Iterator[Expression] = iter(())
        self._given: list[Expression] = []  # since the last accepted candidate
        self._key = (-1, "")  # the cohort that is being filled

    def misfit(self) -> str:
        if self.order == "grammar" or self.grammar.count() <= SHUFFLED:
            return ""
        return (
            f"order: shuffled walks have at most {SHUFFLED:,} derivations, the grammar {quoted(self.grammar.name)} has "
            f"{self.grammar.count():,}; take the order 'grammar', or the strategy 'random'"
        )

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        last = pending[-1].expression if pending else history[-1].expression if history else None
        key = len(history), last.text if last else ""
        if key != self._key:
            self._go_behind(last)
            self._key = key
        given = list(islice(self._walk, n))
        self._given += given
        return [Proposal(expression) for expression in given]

    def _go_behind(self, last: Expression | None) -> None:
        """Set the walk behind an expression; to the beginning where the grammar does not have it."""
        given, self._given = iter(self._given), []
        if last is not None and _passed(given, last):
            self._walk = chain(given, self._walk)
            return
        self._walk = self._begun()
        if last is not None and not _passed(self._walk, last):
            self._walk = self._begun()

    def _begun(self) -> Iterator[Expression]:
        return self.grammar.enumerate() if self.order == "grammar" else iter(self._shuffled)

    @cached_property
    def _shuffled(self) -> list[Expression]:
        return sorted(self.grammar.enumerate(), key=lambda each: sha256(each.text.encode()).digest())


def _passed(walk: Iterator[Expression], target: Expression) -> bool:
    """Advance a walk behind the first expression of a canonical form; False if it ends before."""
    form = canonical(target)
    return any(canonical(expression) is form for expression in walk)
