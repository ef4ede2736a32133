"""Strategies with a state: a left fold over the results, so that a resumed job has the same after folding once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from primitives.grammars import Grammar
from search.strategies.base import Result, Strategy

S = TypeVar("S")


class Folding(Strategy, Generic[S]):
    """Keeps the state of the results seen last as a cache; every result is looked at once in a process."""

    def __init__(self, grammar: Grammar) -> None:
        super().__init__(grammar)
        self._seen, self._last = 0, ""
        self._state: S | None = None

    @abstractmethod
    def start(self) -> S:
        """The state before the first result."""

    @abstractmethod
    def told(self, state: S, result: Result) -> S:
        """The state after one more result."""

    def folded(self, history: Sequence[Result]) -> S:
        """The state after all results of a history."""
        goes_on = self._seen <= len(history) and (not self._seen or history[self._seen - 1].id == self._last)
        if self._state is None or not goes_on:
            self._seen, self._state = 0, self.start()
        state = self._state
        for number in range(self._seen, len(history)):
            result = history[number]
            state, self._last = self.told(state, result), result.id
        self._seen, self._state = len(history), state
        return state
