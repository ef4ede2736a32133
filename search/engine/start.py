"""The lists of functions of a config: which of them are not trained, and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from evaluators.controls import CONTROLS, Named
from evaluators.rejection.screens import screen
from evaluators.results.reasons import Reason
from primitives.equivalence.classes import same_function
from primitives.equivalence.signs import sign_class
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse


def left_out(
    start: Sequence[str], controls: Named = (), baseline: Named = (), *, exact: bool = False,
    signs: Collection[str] = (), what: str = "start", screened: Callable[[Expression], Reason | None] = screen,
) -> Iterator[str]:  # fmt: skip
    """A line for each function of a list that the job leaves out: a screen stops it, or its class is there.

    Args:
        start: texts.
        controls: those of the job, names with texts.
        baseline: its known functions, names with texts.
        exact: a factor makes another class.
        signs: those of f(-x), -f(x) and -f(-x) that are of f's class.
        what: the setting that the list is.
        screened: the screen of the job that stops a function, if one does.
    """
    shown = CONTROLS | dict(controls)
    known = {_key(parse(text), exact, signs): (f"the control {name}", parse(text)) for name, text in shown.items()}
    for name, text in baseline:
        known.setdefault(_key(parse(text), exact, signs), (f"the known function {name}", parse(text)))
    for text in start:
        expression = parse(text)
        key = _key(expression, exact, signs)
        if reason := screened(expression):
            yield f"{what}: {text} is not trained: the screen {reason.code!r} stops it"
        elif key in known:
            name, other = known[key]
            yield f"{what}: {text} is not trained: it equals {name}{_up_to(expression, other, exact)}"
        known.setdefault(key, (text, expression))


def _key(expression: Expression, exact: bool, signs: Collection[str]) -> str:
    return sign_class(expression, exact=exact, signs=signs)


def _up_to(f: Expression, g: Expression, exact: bool) -> str:
    """What makes no difference between two functions of one class."""
    other = [] if exact else ["a factor"]
    if not same_function(f, g, scale=not exact):
        other.append("signs")
    return f" up to {' and '.join(other)}" if other else ""
