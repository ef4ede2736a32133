"""The start list of a config: which of its functions are not trained, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evaluators.cohort import CONTROLS
from evaluators.controls import Named
from evaluators.rejection.screens import screen
from primitives.equivalence.classes import class_of
from primitives.expression.parsing import parse


def left_out(start: Sequence[str], controls: Named = (), *, exact: bool = False) -> Iterator[str]:
    """A line for each function of a start list that the job leaves out: a screen stops it, or its class is there.

    Args:
        start: texts.
        controls: those of the job beside ReLU, GELU and SiLU, names with texts.
        exact: a factor makes another class.
    """
    shown = CONTROLS | dict(controls)
    known = {class_of(parse(text), exact=exact): f"the control {name}" for name, text in shown.items()}
    for text in start:
        expression = parse(text)
        key = class_of(expression, exact=exact)
        if reason := screen(expression):
            yield f"start: {text} is not trained: the screen {reason.code!r} stops it"
        elif key in known:
            yield f"start: {text} is not trained: it equals {known[key]}{'' if exact else ' up to a factor'}"
        known.setdefault(key, text)
