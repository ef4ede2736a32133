"""Exhaustive search: a countable grammar in its own order, as Ramachandran et al. 2017 walk their small spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

import numpy as np

from primitives.equivalence.canonical import canonical
from primitives.expression.expression import Expression
from primitives.grammars import Grammar
from search.strategies.base import Proposal, Result, Strategy


class Exhaustive(Strategy):
    """Every derivation of the grammar without learnable factors, one after the other, until none is left.

    Each cohort goes on behind the last candidate that was accepted before it, so that a resumed job proposes the same;
    it walks there from the beginning once, which takes about 0.1 ms a derivation.
    """

    walks = True

    def __init__(self, grammar: Grammar) -> None:
        super().__init__(grammar)
        self._walk: Iterator[Expression] = grammar.enumerate()
        self._given: list[Expression] = []  # since the last accepted candidate
        self._key = (0, "")  # the cohort that is being filled

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
        self._walk = self.grammar.enumerate()
        if last is not None and not _passed(self._walk, last):
            self._walk = self.grammar.enumerate()


def _passed(walk: Iterator[Expression], target: Expression) -> bool:
    """Advance a walk behind the first expression of a canonical form; False if it ends before."""
    form = canonical(target)
    return any(canonical(expression) is form for expression in walk)
