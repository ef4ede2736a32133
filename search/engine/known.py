"""Known classes: which functions were trained, so that none is trained twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from weakref import WeakValueDictionary

from primitives.equivalence.signs import same_up_to_signs, sign_class
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse

_KEPT = 4096  # results that strategies look at; what is under way is kept by its class


class Texts:
    """The expressions of candidates' texts: each is looked at when it is proposed, entered and varied."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, Expression] = WeakValueDictionary()
        self._recent: deque[Expression] = deque(maxlen=_KEPT)

    def __call__(self, text: str) -> Expression:
        """The expression of a text."""
        known = self._known.get(text)
        return self.note(parse(text)) if known is None else known

    def note(self, expression: Expression) -> Expression:
        """Keep an expression, so that its text need not be read, as long as it is under way or among the last."""
        self._recent.append(expression)
        self._known[expression.text] = expression
        return expression

    def forget(self) -> None:
        """Read all texts anew, as after operators went."""
        self._recent.clear()
        self._known.clear()


parsed = Texts()


class KnownClasses:
    """Class -> the trial that trained it, or the expression that waits for its result.

    A hash can merge two functions by rounding; every hit is verified, and another function of the same hash gets a
    key of its own, with ``~`` behind it.

    Args:
        recall: gives the expression of a trial number.
        exact: functions of one class are equal; else equal up to a positive factor.
        signs: those of f(-x), -f(x) and -f(-x) that are of f's class, too; see :mod:`primitives.equivalence.signs`.
    """

    def __init__(
        self, recall: Callable[[int], Expression], *, exact: bool = False, signs: Collection[str] = ()
    ) -> None:
        self._recall, self.exact, self.signs = recall, exact, signs
        self._classes: dict[str, int | Expression] = {}

    def find(self, expression: Expression) -> tuple[str, bool]:
        """The class key of an expression and whether a function of that class is known."""
        key = sign_class(expression, exact=self.exact, signs=self.signs)
        while key in self._classes:
            entry = self._classes[key]
            other = self._recall(entry) if isinstance(entry, int) else entry
            if same_up_to_signs(expression, other, exact=self.exact, signs=self.signs):
                return key, True
            key += "~"
        return key, False

    def trial(self, key: str) -> int | None:
        """The trial that trained a class; None where none did."""
        entry = self._classes.get(key)
        return entry if isinstance(entry, int) else None

    def expect(self, key: str, expression: Expression) -> None:
        """Note a class whose result is on its way, or that is never trained as a candidate."""
        self._classes.setdefault(key, expression)

    def enter(self, key: str, number: int) -> None:
        """Note the trial that trained a class; its expression is kept by the study alone from now on."""
        self._classes[key] = number
