"""Late acceptance hill climbing (Burke, Bykov 2017, doi:10.1016/j.ejor.2016.07.012), as SAFS uses it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from evaluators.errors import EvaluationError
from evaluators.objectives import objective
from evaluators.seeds import numpy_generator
from primitives.errors import GrammarError, nearest
from primitives.expression.expression import Expression
from primitives.grammars import Grammar
from primitives.grammars.mutation import KINDS
from primitives.quoting import quoted
from primitives.user_file import is_reference
from search.errors import ConfigError
from search.strategies.base import Proposal, Result
from search.strategies.fold import Folding

DRAWS = 20  #: of a grammar, to see whether any function of it can be moved
_CLIMB = "climb"  #: attribute of a proposal, the climb's number


@dataclass(frozen=True, slots=True)
class Climb:
    """Where a climb stands: its number, the accepted candidate, the heights of the last ones, steps and idle steps."""

    number: int = 0
    current: Result | None = None
    heights: tuple[float, ...] = ()
    steps: int = 0
    idle: int = 0


class LateAcceptance(Folding[Climb]):
    """A step is accepted that is no worse than the current candidate or than the one of some steps ago.

    A cohort's candidates are steps one after the other, all from the candidate that was accepted when they were
    proposed. After ``patience`` steps in a row that were not accepted the climb begins anew with a fresh sample; what
    had been proposed from the old one and comes later counts for nothing.

    Only the order of candidates counts, so that SAFS's energy, 1 / accuracy, and the accuracy itself are one.

    Args:
        grammar: where expressions come from.
        length: how many steps ago; SAFS (arXiv:2305.10964) takes 3.
        patience: SAFS stops after at least 20 steps.
        move: ``"any"``, a mutation by the grammar's weights; or kinds of mutation that are done one after the other,
            ``"point+swap"`` as in SAFS. One that is impossible is left out.
        by: the objective that is climbed, in its direction.

    Raises:
        ConfigError: the move names no kind of mutation, or there is no such objective.
    """

    def __init__(
        self, grammar: Grammar, *, length: int = 3, patience: int = 20, move: str = "any", by: str = "gain"
    ) -> None:
        self.length, self.patience, self.move, self.by = length, patience, move, by
        self.kinds = () if move == "any" else tuple(move.split("+"))
        for kind in self.kinds:
            if kind not in KINDS:
                known = f"any, or kinds of mutation joined by +, of {', '.join(KINDS)}"
                raise ConfigError(
                    f"strategy 'late_acceptance': move: expected {known}, got {quoted(move)}{nearest(kind, KINDS)}"
                )
        try:
            if not is_reference(by):  # a file is read when the first result comes, as those of other settings are
                objective(by)
        except EvaluationError as error:
            raise ConfigError(f"strategy 'late_acceptance': by: {error}") from None
        super().__init__(grammar)

    def misfit(self) -> str:
        rng = numpy_generator(0, "move")
        drawn = (self.grammar.sample(rng) for _ in range(DRAWS))
        if not self.kinds or any(self._moved(each, rng) != each for each in drawn):
            return ""
        return (
            f"move: {quoted(self.move)} changes none of {DRAWS} functions drawn from {quoted(self.grammar.name)}; take "
            "'any', or other kinds of mutation"
        )

    def start(self) -> Climb:
        return Climb()

    def told(self, state: Climb, result: Result) -> Climb:
        if result.attributes.get(_CLIMB, state.number) != state.number:
            return state
        if not result.objectives or result.expression not in self.grammar:
            return self._idle(state)
        height = self._height(result)
        if state.current is None:
            return Climb(state.number, result, (height,) * self.length)
        place = state.steps % self.length
        if height < self._height(state.current) and height < state.heights[place]:
            return self._idle(state)
        heights = (*state.heights[:place], height, *state.heights[place + 1 :])
        return Climb(state.number, result, heights, state.steps + 1)

    @cached_property
    def _climbed(self) -> tuple[str, float]:
        """The objective's name in results, and what makes larger values the better ones."""
        found = objective(self.by)
        return found.name, 1.0 if found.direction == "maximize" else -1.0

    def _height(self, result: Result) -> float:
        name, sign = self._climbed
        if name not in result.objectives:
            raise ConfigError(
                f"strategy 'late_acceptance': by: {quoted(name)} is none of the job's objectives, which are "
                f"{', '.join(result.objectives)}; name it there"
            )
        return sign * result.objectives[name]

    def _idle(self, state: Climb) -> Climb:
        if state.current is None:
            return state
        if state.idle + 1 >= self.patience:
            return Climb(state.number + 1)
        place = state.steps % self.length
        heights = (*state.heights[:place], self._height(state.current), *state.heights[place + 1 :])
        return replace(state, heights=heights, steps=state.steps + 1, idle=state.idle + 1)

    def ask(
        self, history: Sequence[Result], pending: Sequence[Proposal], n: int, rng: np.random.Generator
    ) -> list[Proposal]:
        climb = self.folded(history)
        of_climb, current = {_CLIMB: climb.number}, climb.current
        if current is None:
            return [Proposal(self.grammar.sample(rng), (), of_climb) for _ in range(n)]
        return [Proposal(self._moved(current.expression, rng), (current.id,), of_climb) for _ in range(n)]

    def _moved(self, expression: Expression, rng: np.random.Generator) -> Expression:
        if not self.kinds:
            return self.grammar.mutate(expression, rng)
        for kind in self.kinds:
            with suppress(GrammarError):  # of a kind that is impossible here
                expression = self.grammar.mutate(expression, rng, kind)
        return expression
