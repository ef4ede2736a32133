"""Surrogate search: a model predicts gains from what a function does, and the most promising are tried.

The model is a Gaussian process over shapes (:mod:`search.strategies.gaussian_process`). Describing a function by its
outputs, and the greedy rule of the nearest functions, follow AQuaSurF (Bingham, Miikkulainen 2023, arXiv:2301.05785).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from primitives.equivalence.classes import class_of
from primitives.grammars import Grammar
from search.strategies.base import Proposal, Result, Strategy
from search.strategies.gaussian_process import promising
from search.strategies.predictors import Choose, Question, nearest

CHOOSE: dict[str, Choose] = {"gp": promising, "nearest": nearest}


class Surrogate(Strategy):
    """Learns from the results which functions to try.

    Args:
        grammar: where expressions come from.
        initial: results before the first prediction; until then, and until two of them did not fail, samples.
        window: results that are learnt from, the last ones.
        pool: expressions among which a batch is chosen: half samples, half mutations and crossings of the best.
        elite: number of the best results that are mutated and crossed.
        choice: ``"gp"``, the upper confidence bounds of a Gaussian process, or ``"nearest"``, AQuaSurF's greedy rule:
            the mean of the 3 nearest functions.
    """

    choices: ClassVar[dict[str, tuple[str, ...]]] = {"choice": tuple(CHOOSE)}

    def __init__(
        self, grammar: Grammar, *, initial: int = 8, window: int = 1000, pool: int = 1024, elite: int = 32,
        choice: str = "gp",
    ) -> None:  # fmt: skip
        super().__init__(grammar)
        self.initial, self.window, self.pool, self.elite, self.choice = initial, window, pool, elite, choice

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        known = history[max(0, len(history) - self.window) :]
        if len(known) < self.initial or sum(bool(result.objectives) for result in known) < 2:
            return [Proposal(self.grammar.sample(rng)) for _ in range(n)]
        pool = self._pool(known, pending, rng)
        if not pool:
            return [Proposal(self.grammar.sample(rng)) for _ in range(n)]
        question = Question(
            tried=[result.expression for result in known],
            gains=np.array([result.gain for result in known]),
            pending=[proposal.expression for proposal in pending[-self.window :]],
            pool=[proposal.expression for proposal in pool],
            n=min(n, len(pool)),
            exact=self.exact,
        )
        return [pool[i] for i in CHOOSE[self.choice](question)]

    def _pool(self, known: Sequence[Result], pending: Sequence[Proposal], rng: np.random.Generator) -> list[Proposal]:
        """Distinct classes that are not known: samples, and children of the best."""
        expressions = [*(result.expression for result in known), *(proposal.expression for proposal in pending)]
        seen = {class_of(expression, exact=self.exact) for expression in expressions}
        members = [r for r in known if r.objectives and r.expression in self.grammar]
        best = sorted(members, key=lambda r: -r.gain)[: self.elite]
        pool: list[Proposal] = []
        for number in range(self.pool):
            proposal = self._child(best, rng) if best and number % 2 else Proposal(self.grammar.sample(rng))
            if (key := class_of(proposal.expression, exact=self.exact)) not in seen:
                seen.add(key)
                pool.append(proposal)
        return pool

    def _child(self, best: Sequence[Result], rng: np.random.Generator) -> Proposal:
        mother, father = (best[int(i)] for i in rng.integers(len(best), size=2))
        if mother.id != father.id and rng.random() < 0.3:
            child = self.grammar.crossover(mother.expression, father.expression, rng)
            return Proposal(child, (mother.id, father.id))
        return Proposal(self.grammar.mutate(mother.expression, rng), (mother.id,))
