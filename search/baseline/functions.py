"""The known functions of a job: the whole catalogue where that is cheap beside the search, else a panel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice

from evaluators.controls import function_of
from evaluators.rejection.screens import screen
from primitives.catalogue import Kind, catalogue, every_entry
from primitives.equivalence.signs import sign_class
from primitives.errors import nearest
from primitives.expression.expression import Expression
from primitives.quoting import quoted
from search.baseline.panel import PANEL
from search.errors import ConfigError

#: What ``baseline.functions`` may be beside a list.
CHOICES = ("auto", "catalogue", "panel", "none")
#: The catalogue is swept where it is at most this share of the budget.
SHARE = 0.25

#: A function of a list: its name and the expression.
Named = tuple[str, Expression]


def known_functions(
    asked: str | tuple[str, ...], budget: int, leave: Iterable[Expression] = (), *, exact: bool = False,
    signs: tuple[str, ...] = (), kinds: tuple[Kind, ...] = ("pointwise",),
) -> tuple[Named, ...]:  # fmt: skip
    """The known functions of a job, each class once, without those that a screen stops.

    Args:
        asked: ``"catalogue"``, ``"panel"``, ``"none"``; ``"auto"`` for the catalogue where it is at most a quarter of
            the budget, else for the panel; or expressions and names of the catalogue. The known gates, layers and
            rows are few; they are swept whatever the budget is.
        budget: of the job, in classes.
        leave: functions that are trained in every cohort anyway.
        exact: functions that differ by a factor are two.
        signs: those of f(-x), -f(x) and -f(-x) that are of f's class.
        kinds: of the places; where a network has several, no known function stands in all of them.

    Raises:
        EvaluationError: an entry of a list is neither an expression nor a name of the catalogue.
    """
    return _known(asked, budget, tuple(leave), exact=exact, signs=signs, kinds=kinds)


@lru_cache(maxsize=8)
def _known(
    asked: str | tuple[str, ...], budget: int, leave: tuple[Expression, ...], *, exact: bool,
    signs: tuple[str, ...], kinds: tuple[Kind, ...],
) -> tuple[Named, ...]:  # fmt: skip
    """As above; kept, as a launch asks for it several times."""
    if asked == "none" or (isinstance(asked, str) and len(kinds) > 1):
        return ()
    if not isinstance(asked, str):
        return tuple(_distinct(((entry, function_of(entry)) for entry in asked), leave, exact=exact, signs=signs))
    if kinds[0] != "pointwise" or asked == "catalogue":
        return tuple(_catalogue(kinds[0], leave, exact=exact, signs=signs))
    if asked == "auto":
        limit = math.floor(SHARE * budget)
        swept = tuple(islice(_catalogue(kinds[0], leave, exact=exact, signs=signs), limit + 1))
        if len(swept) <= limit:
            return swept
    return tuple(_distinct(((name, function_of(name)) for name in PANEL), leave, exact=exact, signs=signs))


def checked_functions(value: object) -> str | tuple[str, ...]:
    """The setting as a config has it.

    Raises:
        ConfigError: it is neither a choice nor a list; the message names the nearest choice.
        EvaluationError: an entry of a list is unknown.
    """
    if isinstance(value, list | tuple):
        for entry in value:
            function_of(str(entry))
        return tuple(map(str, value))
    if value not in CHOICES:
        raise ConfigError(
            f"expected {', '.join(CHOICES)}, or a list of expressions and names of the catalogue; got "
            f"{quoted(value)}{nearest(value, CHOICES)}"
        )
    return str(value)


def catalogue_name(expression: Expression, *, exact: bool, signs: tuple[str, ...] = ()) -> str:
    """The name of the catalogue's function in an expression's class; "" where there is none.

    The function itself comes before one that differs in signs: softplus(x) is no LogSigmoid.
    """
    for each in ((), signs):
        names = catalogue_classes(exact=exact, signs=each)
        if name := names.get(sign_class(expression, exact=exact, signs=each)):
            return name
    return ""


@lru_cache(maxsize=4)
def catalogue_classes(*, exact: bool, signs: tuple[str, ...] = ()) -> Mapping[str, str]:
    """The catalogue's classes with the names of their first entries."""
    classes: dict[str, str] = {}
    for entry in every_entry():
        classes.setdefault(sign_class(entry.expression, exact=exact, signs=signs), entry.name)
    return classes


def _catalogue(
    kind: Kind, leave: Iterable[Expression], *, exact: bool, signs: tuple[str, ...]
) -> Iterator[Named]:  # fmt: skip
    """The catalogue's classes of a kind that pass the screens: 3 ms each."""
    return _distinct(((entry.name, entry.expression) for entry in catalogue(kind)), leave, exact=exact, signs=signs)


def _distinct(
    functions: Iterable[Named], leave: Iterable[Expression], *, exact: bool, signs: tuple[str, ...]
) -> Iterator[Named]:  # fmt: skip
    seen = {sign_class(each, exact=exact, signs=signs) for each in leave}
    for name, expression in functions:
        if (key := sign_class(expression, exact=exact, signs=signs)) not in seen and not screen(expression):
            seen.add(key)
            yield name, expression
