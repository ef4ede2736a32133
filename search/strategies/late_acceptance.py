"""Late acceptance hill climbing (Burke, Bykov 2017, doi:10.1016/j.ejor.2016.07.012), as SAFS uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from primitives.grammars import Grammar
from search.strategies.base import Proposal, Result
from search.strategies.fold import Folding


@dataclass(frozen=True, slots=True)
class Climb:
    """Where a climb stands: the accepted candidate, the gains of the last accepted ones, steps and idle steps."""

    current: Result | None = None
    gains: tuple[float, ...] = ()
    steps: int = 0
    idle: int = 0


class LateAcceptance(Folding[Climb]):
    """A step is accepted that is no worse than the current candidate or than the one of some steps ago.

    A cohort's candidates are steps one after the other, all from the candidate that was accepted when they were
    proposed. After ``patience`` steps in a row that were not accepted the climb begins anew with a fresh sample.

    Args:
        grammar: where expressions come from.
        length: how many steps ago; SAFS (arXiv:2305.10964) takes 3.
        patience: SAFS stops after at least 20 steps.
    """

    def __init__(self, grammar: Grammar, *, length: int = 3, patience: int = 20) -> None:
        self.length, self.patience = length, patience
        super().__init__(grammar)

    def start(self) -> Climb:
        return Climb()

    def told(self, state: Climb, result: Result) -> Climb:
        if not result.objectives or result.expression not in self.grammar:
            return self._idle(state)
        if state.current is None:
            return Climb(result, (result.gain,) * self.length)
        place = state.steps % self.length
        if result.gain < state.current.gain and result.gain < state.gains[place]:
            return self._idle(state)
        gains = (*state.gains[:place], result.gain, *state.gains[place + 1 :])
        return Climb(result, gains, state.steps + 1)

    def _idle(self, state: Climb) -> Climb:
        if state.current is None or state.idle + 1 >= self.patience:
            return Climb()
        place = state.steps % self.length
        gains = (*state.gains[:place], state.current.gain, *state.gains[place + 1 :])
        return replace(state, gains=gains, steps=state.steps + 1, idle=state.idle + 1)

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        current = self.folded(history).current
        if current is None:
            return [Proposal(self.grammar.sample(rng)) for _ in range(n)]
        return [Proposal(self.grammar.mutate(current.expression, rng), (current.id,)) for _ in range(n)]
