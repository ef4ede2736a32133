"""Tokens: the words of a formula's text, one at a time, and errors that name their place.

They are read when asked for, so that 10,000 characters that fail early cost no more than what was read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from primitives.errors import ExpressionError

_TOKEN = re.compile(
    r"""[ \t\r\n\f\v]*(?:
    (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<symbol>\*\*|[<>]=?|[-+*/(),;:=])
    | (?P<end>\Z)
    | (?P<other>.))""",
    re.VERBOSE | re.DOTALL,
)
_HINTS = {
    ".": "; a name has no dots, as in tanh(x)",
    "^": "; a power is written **",
    "!": "; comparisons are < <= > >=",
    "|": "; a magnitude is written abs(...)",
    "[": "; brackets are ( and )",
    "{": "; brackets are ( and )",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A word: ``kind`` is ``"number"``, ``"name"``, ``"symbol"`` or ``"end"``."""

    kind: str
    text: str
    position: int

    def error(self, message: str) -> ExpressionError:
        """An error at the token's position, to be raised."""
        return ExpressionError(f"position {self.position}: {message}")


class Tokens:
    """The tokens of a text from a position on; ``token`` is the current one.

    Raises:
        ExpressionError: also by ``advance``, at a character that belongs to no token.
    """

    def __init__(self, text: str, start: int = 0) -> None:
        self._text = text
        self._next = start
        self.token = self._read()

    def _read(self) -> Token:
        match = _TOKEN.match(self._text, self._next)
        assert match is not None and match.lastgroup is not None  # whatever comes, it is some group
        kind = match.lastgroup
        token = Token(kind, match[kind], match.start(kind))
        if kind == "other":
            ascii_only = "" if token.text.isascii() else "; only ASCII characters are read"
            raise token.error(f"unexpected character {token.text!r}{_HINTS.get(token.text, ascii_only)}")
        self._next = match.end()
        return token

    def advance(self) -> Token:
        """Return the current token and go on to the next."""
        token = self.token
        self.token = self._read()
        return token

    def at(self, *symbols: str) -> bool:
        """True if the current token is one of the symbols."""
        return self.token.text in symbols

    def take(self, symbol: str, why: str = "") -> Token:
        """Advance over a symbol; ``why`` says in the error what it is needed for."""
        if not self.at(symbol):
            raise self.fail(f"{symbol!r}{why}")
        return self.advance()

    def fail(self, expected: str, hint: str = "") -> ExpressionError:
        """An error that names what was expected here and what stands here, to be raised."""
        got = "the end of the text" if self.token.kind == "end" else repr(short(self.token.text))
        return self.token.error(f"expected {expected}, got {got}{hint}")


def short(text: str) -> str:
    """At most 30 characters of a text."""
    return text if len(text) <= 30 else f"{text[:27]}..."
