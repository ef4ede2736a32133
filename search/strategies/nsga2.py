"""NSGA-II (Deb et al. 2002, doi:10.1109/4235.996017) over all objectives and the gain of each task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.objectives import objective
from evaluators.training.member import Array
from primitives.grammars import Grammar
from search.engine.dominance import dominates
from search.strategies.base import Proposal, Result
from search.strategies.fold import Folding

Population = tuple[Result, ...]


class NSGA2(Folding[Population]):
    """Parents win tournaments of two by Pareto rank, then by crowding distance; the best of all candidates survive.

    With several tasks the gain of each is an objective of its own, as in EvoNorm (arXiv:2004.02967). A cohort's
    candidates join the population one by one; it is cut back whenever it has doubled.

    Args:
        grammar: where expressions come from.
        population: number of survivors; few, as budgets are hundreds or thousands.
        crossover: probability that a child has two parents.
        immigrants: probability of a fresh sample of the grammar.
    """

    def __init__(
        self, grammar: Grammar, *, population: int = 24, crossover: float = 0.3, immigrants: float = 0.1
    ) -> None:
        self.population, self.crossover, self.immigrants = population, crossover, immigrants
        super().__init__(grammar)

    def start(self) -> Population:
        return ()

    def told(self, state: Population, result: Result) -> Population:
        if not result.objectives or result.expression not in self.grammar:
            return state
        joined = (*state, result)
        return joined if len(joined) < 2 * self.population else self._survivors(joined)

    def _survivors(self, state: Population) -> Population:
        ranks, crowding = ranked(costs(state))
        best = np.lexsort((-crowding, ranks))[: self.population]
        return tuple(state[i] for i in sorted(best))

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        parents = self.folded(history)
        if len(parents) > self.population:
            parents = self._survivors(parents)
        if len(parents) < max(2, self.population // 2):
            return [Proposal(self.grammar.sample(rng)) for _ in range(n)]
        ranks, crowding = ranked(costs(parents))
        place = {int(i): number for number, i in enumerate(np.lexsort((-crowding, ranks)))}
        return [self._child(parents, place, rng) for _ in range(n)]

    def _child(self, parents: Population, place: dict[int, int], rng: np.random.Generator) -> Proposal:
        if rng.random() < self.immigrants:
            return Proposal(self.grammar.sample(rng))
        mother = self._winner(parents, place, rng)
        father = self._winner(parents, place, rng)
        if father.id != mother.id and rng.random() < self.crossover:
            child = self.grammar.crossover(mother.expression, father.expression, rng)
            return Proposal(child, (mother.id, father.id))
        return Proposal(self.grammar.mutate(mother.expression, rng), (mother.id,))

    def _winner(self, parents: Population, place: dict[int, int], rng: np.random.Generator) -> Result:
        drawn = rng.choice(len(parents), size=2, replace=False)
        return parents[min(map(int, drawn), key=place.__getitem__)]


def costs(results: Sequence[Result]) -> Array:
    """One row a result, one column an objective; smaller is better. The gains of several tasks take gain's place."""
    names = [name for name in results[0].objectives if name != "gain"]
    tasks = list(results[0].by_task)
    rows = []
    for result in results:
        row = [result.by_task[name] for name in tasks] if len(tasks) > 1 else [result.gain]
        others = [
            value if objective(name).direction == "minimize" else -value
            for name in names
            for value in [result.objectives[name]]
        ]
        rows.append([-gain for gain in row] + others)
    return np.array(rows, dtype=np.float64)


def ranked(values: Array) -> tuple[Array, Array]:
    """Pareto rank of each row, from 0, and its crowding distance within the rank."""
    better = dominates(values[:, None], values[None])
    ranks = np.full(len(values), -1)
    crowding = np.zeros(len(values))
    left = np.ones(len(values), dtype=bool)
    rank = 0
    while left.any():
        front = np.flatnonzero(left & ~(better & left[:, None]).any(axis=0))
        ranks[front], crowding[front] = rank, _crowding(values[front])
        left[front] = False
        rank += 1
    return ranks, crowding


def _crowding(values: Array) -> Array:
    """Sum over the columns of the gap between the two neighbours, relative to the range; infinite at the ends."""
    total = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        total[order[[0, -1]]] = np.inf
        if spread > 0:
            total[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return total
