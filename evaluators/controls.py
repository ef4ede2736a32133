"""More controls of a job's own: expressions, or functions of the catalogue by name."""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.cohort import CONTROLS
from evaluators.errors import EvaluationError
from primitives.catalogue import every_entry
from primitives.equivalence.classes import fingerprint
from primitives.errors import ExpressionError, nearest
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.quoting import quoted

Named = tuple[tuple[str, str], ...]


def more_controls(entries: Iterable[str]) -> Named:
    """The controls that are named beside ReLU, GELU and SiLU: each entry with its expression's text.

    Args:
        entries: expressions such as ``"sin(30*x)"``, or names of the catalogue such as ``"swish"``, in any case.

    Raises:
        EvaluationError: one is neither, the message has the nearest name; or it equals another control.
    """
    known = {fingerprint(parse(text)).exact: name for name, text in CONTROLS.items()}
    named = []
    for entry in entries:
        expression = function_of(entry)
        key = fingerprint(expression).exact
        if key in known:
            raise EvaluationError(f"{quoted(entry)} is the control {quoted(known[key])} already; leave it out")
        known[key] = entry
        named.append((entry, expression.text))
    return tuple(named)


def function_of(entry: str) -> Expression:
    """An expression; where the text is none, the catalogue's function of that name.

    Raises:
        EvaluationError: it is neither, the message has the nearest name.
    """
    by_name = {each.name.lower(): each.expression for each in reversed(every_entry())}  # the first of a name counts
    if entry.lower() in by_name:
        return by_name[entry.lower()]
    try:
        return parse(entry)
    except ExpressionError as error:
        raise EvaluationError(
            f"{quoted(entry)} is no expression: {error}; nor is it a name of the catalogue{nearest(entry, by_name)}"
        ) from None
