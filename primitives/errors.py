"""Errors of the package, and the helper that names the nearest valid value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from primitives.quoting import MOST, quoted


class ActsearchError(Exception):
    """Base of every error that is the user's to mend; its text is the whole message."""


class OperatorError(ActsearchError):
    """An operator is unknown, or a new one was refused."""


class ExpressionError(ActsearchError):
    """A text is no expression, or an expression breaks a limit."""


class GrammarError(ActsearchError):
    """A grammar is unknown or its declaration is wrong."""


class LoweringError(ActsearchError):
    """A lowering target is unknown, or a name or factor cannot be used there."""


class UserFileError(ActsearchError):
    """A file of the user's is missing, was changed, or has not what it was named for."""


class EndsProcessError(UserFileError):
    """A file of the user's has tried to end the process."""


def nearest(name: object, options: Iterable[str]) -> str:
    """Return ``"; did you mean 'y'?"`` for the closest option, whatever its case, or ``""`` where none is close.

    The time grows with the square of a name's length; names beyond 80 characters, and what is
    no text, are near to nothing.
    """
    if not isinstance(name, str) or len(name) > MOST:
        return ""
    folded = {option.casefold(): option for option in options if len(option) <= MOST}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return f"; did you mean {quoted(folded[close[0]])}?" if close else ""
