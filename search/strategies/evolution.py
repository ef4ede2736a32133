"""Regularised evolution: the oldest die, whatever their score (Real et al. 2019, arXiv:1802.01548)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from primitives.grammars import Grammar
from search.errors import ConfigError
from search.strategies.base import Proposal, Result, Strategy


class Evolution(Strategy):
    """Tournaments among the youngest ``population`` candidates; winners are mutated or crossed.

    Args:
        grammar: where expressions come from.
        population: number of candidates, the last ones trained, that parents are drawn from.
        tournament: candidates drawn for each parent; the one of highest gain wins.
        crossover: probability that a child has two parents.
        immigrants: probability of a fresh sample of the grammar.

    Raises:
        ConfigError: the tournament is larger than the population.
    """

    def __init__(
        self,
        grammar: Grammar,
        *,
        population: int = 64,
        tournament: int = 8,
        crossover: float = 0.3,
        immigrants: float = 0.1,
    ) -> None:
        super().__init__(grammar)
        if tournament > population:
            raise ConfigError(f"strategy 'evolution': tournament {tournament} is larger than population {population}")
        self.population, self.tournament = population, tournament
        self.crossover, self.immigrants = crossover, immigrants

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        young = history[max(0, len(history) - self.population) :]
        return [self._child(young, rng) for _ in range(n)]

    def _child(self, young: Sequence[Result], rng: np.random.Generator) -> Proposal:
        if len(young) < self.tournament or rng.random() < self.immigrants:
            return Proposal(self.grammar.sample(rng))
        mother = self._winner(young, rng)
        if mother is None:
            return Proposal(self.grammar.sample(rng))
        if rng.random() < self.crossover:
            father = self._winner(young, rng)
            if father is not None and father.id != mother.id:
                child = self.grammar.crossover(mother.expression, father.expression, rng)
                return Proposal(child, (mother.id, father.id))
        return Proposal(self.grammar.mutate(mother.expression, rng), (mother.id,))

    def _winner(self, young: Sequence[Result], rng: np.random.Generator) -> Result | None:
        """The best of a tournament, or None if all of them failed or are no members (a start list's may be none)."""
        drawn = [young[i] for i in rng.choice(len(young), size=self.tournament, replace=False).tolist()]
        best = max(drawn, key=lambda result: result.gain)
        return best if best.objectives and best.expression in self.grammar else None
