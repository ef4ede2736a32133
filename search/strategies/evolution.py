"""Regularised evolution: the oldest die, whatever their score (Real et al. 2019, arXiv:1802.01548)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from primitives.grammars import Grammar
from search.engine.dominance import dominates
from search.errors import ConfigError
from search.strategies.base import Proposal, Result, Strategy
from search.strategies.nsga2 import costs


class Evolution(Strategy):
    """Tournaments among the youngest ``population`` candidates; winners are mutated or crossed.

    EvoNorm (arXiv:2004.02967) has ``population=2500, tournament=0.05, winner="pareto", crossover=0.0, immigrants=0.0``,
    with one task for each network.

    Args:
        grammar: where expressions come from.
        population: number of candidates, the last ones trained, that parents are drawn from.
        tournament: candidates drawn for each parent: a number, or a share of ``population`` between 0 and 1.
        winner: of a tournament: the one of highest ``"gain"``; of highest ``"average"`` gain of the tasks, whatever the
            job's aggregate; the best by an objective that is drawn for each tournament (``"random"``); or one of those
            that no other of the tournament dominates, drawn at random (``"pareto"``). For the last two the gain of each
            task is an objective of its own.
        crossover: probability that a child has two parents.
        immigrants: probability of a fresh sample of the grammar.

    Raises:
        ConfigError: the tournament is larger than the population.
    """

    choices: ClassVar[dict[str, tuple[str, ...]]] = {"winner": ("gain", "average", "random", "pareto")}
    shares: ClassVar[tuple[str, ...]] = ("tournament",)

    def __init__(
        self,
        grammar: Grammar,
        *,
        population: int = 64,
        tournament: float = 8,
        winner: str = "gain",
        crossover: float = 0.3,
        immigrants: float = 0.1,
    ) -> None:
        super().__init__(grammar)
        if tournament > population:
            raise ConfigError(f"strategy 'evolution': tournament {tournament} is larger than population {population}")
        drawn = round(tournament * population) if tournament < 1 else int(tournament)
        self.population, self.tournament, self.best = population, max(1, drawn), WINNERS[winner]
        self.crossover, self.immigrants = crossover, immigrants

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        return [self._child(history, rng) for _ in range(n)]

    def _child(self, history: Sequence[Result], rng: np.random.Generator) -> Proposal:
        if min(len(history), self.population) < self.tournament or rng.random() < self.immigrants:
            return Proposal(self.grammar.sample(rng))
        mother = self._winner(history, rng)
        if mother is None:
            return Proposal(self.grammar.sample(rng))
        if rng.random() < self.crossover:
            father = self._winner(history, rng)
            if father is not None and father.id != mother.id:
                child = self.grammar.crossover(mother.expression, father.expression, rng)
                return Proposal(child, (mother.id, father.id))
        return Proposal(self.grammar.mutate(mother.expression, rng), (mother.id,))

    def _winner(self, history: Sequence[Result], rng: np.random.Generator) -> Result | None:
        """The best of a tournament, or None if all of them failed or are no members (a start list's may be none).

        Only those that are drawn are decoded, however large the population is.
        """
        young = min(len(history), self.population)
        places = rng.choice(young, size=self.tournament, replace=False) + len(history) - young
        drawn = [result for place in places.tolist() if (result := history[place]).objectives]
        best = self.best(drawn, rng) if drawn else None
        return best if best is not None and best.expression in self.grammar else None


def _by_gain(drawn: Sequence[Result], rng: np.random.Generator) -> Result:
    return max(drawn, key=lambda result: result.gain)


def _by_average(drawn: Sequence[Result], rng: np.random.Generator) -> Result:
    means = [np.mean([*result.by_task.values()] or result.gain) for result in drawn]
    return drawn[int(np.argmax(means))]


def _by_random_objective(drawn: Sequence[Result], rng: np.random.Generator) -> Result:
    values = costs(drawn)
    return drawn[int(np.argmin(values[:, rng.integers(values.shape[1])]))]


def _undominated(drawn: Sequence[Result], rng: np.random.Generator) -> Result:
    values = costs(drawn)
    front = np.flatnonzero(~dominates(values[:, None], values[None]).any(axis=0))
    return drawn[int(rng.choice(front))]


#: What wins a tournament, by its name in configs; of results that have not failed, at least one.
WINNERS: Mapping[str, Callable[[Sequence[Result], np.random.Generator], Result]] = {
    "gain": _by_gain,
    "average": _by_average,
    "random": _by_random_objective,
    "pareto": _undominated,
}
