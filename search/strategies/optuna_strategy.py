"""Optuna's samplers over a grammar's decisions (Akiba et al. 2019, arXiv:1907.10902).

Each cohort has a study in memory, filled with a window of the results, and a sampler of its own, seeded for the cohort,
so that a resumed job asks the same. What a sampler must know of earlier cohorts beyond values, as NSGA-II generations,
it keeps in system attributes of trials; they go with the proposals into the run's study and come back with the results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from primitives.grammars import Grammar
from search.errors import ConfigError
from search.strategies.base import Proposal, Result
from search.strategies.fold import Folding
from search.strategies.optuna_samplers import GP_LARGEST, NUMERIC, SINGLE, make_sampler
from search.strategies.optuna_study import DecisionStudy

ASKS_PER_PLACE = 10  # then it has converged on what is known, and samples of the grammar take its place

Best = tuple[Result, ...]


class OptunaStrategy(Folding[Best]):
    """Any sampler of Optuna over the fixed-length decision vector of the grammar.

    Asked again for a cohort, as a job does until it is full, it goes on in the cohort's study. Expressions that have no
    vector (a start list's, or longer ones than a vector holds) are never proposed, and the sampler does not see them.

    Args:
        grammar: where expressions come from.
        sampler: a class of :mod:`optuna.samplers`.
        arguments: its keyword arguments.
        window: results that it sees, the last ones; at most 500 for ``GPSampler``.
        best: results of highest gain that it sees beside these.
        objectives: ``"all"``, each in its direction, or ``"gain"``; CMA-ES takes the gain alone.

    Raises:
        ConfigError: the sampler or an argument is unknown or cannot be used.
    """

    choices: ClassVar[dict[str, tuple[str, ...]]] = {"objectives": ("all", "gain")}

    def __init__(
        self, grammar: Grammar, *, sampler: str = "TPESampler", arguments: Mapping[str, object] = MappingProxyType({}),
        window: int = 500, best: int = 100, objectives: str = "all",
    ) -> None:  # fmt: skip
        make_sampler(sampler, arguments, 0)
        if sampler == "GPSampler" and window > GP_LARGEST:
            raise ConfigError(f"sampler 'GPSampler': window: expected at most {GP_LARGEST} results, got {window}")
        self.sampler, self.arguments, self.window, self.best = sampler, arguments, window, best
        self.single = objectives == "gain" or sampler in SINGLE
        self._cohort: tuple[object, DecisionStudy] | None = None
        super().__init__(grammar)

    def start(self) -> Best:
        return ()

    def told(self, state: Best, result: Result) -> Best:
        """The results of highest gain, best first."""
        if not result.objectives or (len(state) == self.best and result.gain <= state[-1].gain):
            return state
        return tuple(sorted((*state, result), key=lambda each: -each.gain)[: self.best])

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        study = self._study(history, pending, rng)
        proposals: list[Proposal] = []
        for number in range((ASKS_PER_PLACE + 1) * n):
            converged = number >= ASKS_PER_PLACE * n
            proposal = study.ask(self.grammar.sample(rng) if converged else None)
            proposals += [proposal] if proposal else []
            if len(proposals) == n:
                break
        return proposals or [Proposal(self.grammar.sample(rng)) for _ in range(n)]

    def _study(self, history: Sequence[Result], pending: Sequence[Proposal], rng: np.random.Generator) -> DecisionStudy:
        """The study of the cohort that is being filled."""
        key = len(history), history[-1].id if history else "", [proposal.expression for proposal in pending]
        if self._cohort is None or self._cohort[0] != key:
            self._cohort = key, self._opened(history, pending, int(rng.integers(2**32)))
        return self._cohort[1]

    def _opened(self, history: Sequence[Result], pending: Sequence[Proposal], seed: int) -> DecisionStudy:
        recent = history[max(0, len(history) - self.window) :]
        ids = {result.id for result in recent}
        best = self.folded(history)
        names = ("gain",) if self.single or not best else tuple(best[0].objectives)
        sampler = make_sampler(self.sampler, self.arguments, seed)
        study = DecisionStudy(
            self.grammar, sampler, objectives=names, numeric=self.sampler in NUMERIC, exact=self.exact
        )
        study.fill([result for result in best if result.id not in ids], recent, pending)
        return study
