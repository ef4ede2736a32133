"""Text from outside in messages: of bounded length, with control characters made visible."""

from __future__ import annotations

import json
import re
import reprlib
import shlex
import unicodedata

MOST = 80  #: characters of a value that a message quotes
LONGEST = 2000  #: characters of a line of a message

_BRIEF = reprlib.Repr()  # looks at no more of an object than it shows
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = MOST


def quoted(value: object) -> str:
    """A value as somebody gave it, cut at 80 characters; text in quotes, control characters as escapes."""
    if isinstance(value, str):
        return repr(_cut(value, MOST))
    try:
        return _cut(_BRIEF.repr(value), MOST)
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"


def visible(text: str) -> str:
    """Text for a terminal or a page: ESC, NUL and signs that turn the direction of writing as JSON's escapes.

    Line feeds, tabs and blanks stay.
    """
    return text if text.isprintable() else re.sub(r"[^\n\t -~]", _escaped, text)


def command(*words: object) -> str:
    """A command of ours as a shell reads it."""
    return shlex.join(["actsearch", *map(str, words)])


def message(text: str) -> str:
    """A message for people: visible, each line of bounded length."""
    return "\n".join(_cut(visible(line), LONGEST) for line in text.split("\n"))


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    shown = character.isprintable() or unicodedata.category(character) == "Zs"
    return character if shown else json.dumps(character)[1:-1].replace("\x7f", "\\u007f")


def _cut(text: str, most: int) -> str:
    """The beginning and the end of a text."""
    if len(text) <= most:
        return text
    half = (most - 3) // 2
    return f"{text[:half]}...{text[-half:]}"
