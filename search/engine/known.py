"""Known classes: which functions were trained, so that none is trained twice."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from primitives.equivalence.classes import class_of, same_function
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse

#: Expressions of candidates: each text is read when it is proposed, entered and looked at.
parsed = lru_cache(maxsize=4096)(parse)


class KnownClasses:
    """Class -> the trial that trained it, or the expression that waits for its result.

    A hash can merge two functions by rounding; every hit is verified, and another function of the same hash gets a
    key of its own, with ``~`` behind it.

    Args:
        recall: gives the expression of a trial number.
        exact: functions of one class are equal; else equal up to a positive factor.
    """

    def __init__(self, recall: Callable[[int], Expression], *, exact: bool = False) -> None:
        self._recall, self.exact = recall, exact
        self._classes: dict[str, int | Expression] = {}

    def find(self, expression: Expression) -> tuple[str, bool]:
        """The class key of an expression and whether a function of that class is known."""
        key = class_of(expression, exact=self.exact)
        while key in self._classes:
            entry = self._classes[key]
            other = self._recall(entry) if isinstance(entry, int) else entry
            if same_function(expression, other, scale=not self.exact):
                return key, True
            key += "~"
        return key, False

    def expect(self, key: str, expression: Expression) -> None:
        """Note a class whose result is on its way, or that is never trained as a candidate."""
        self._classes.setdefault(key, expression)

    def enter(self, key: str, number: int) -> None:
        """Note the trial that trained a class; its expression is kept by the study alone from now on."""
        self._classes[key] = number
