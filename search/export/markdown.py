"""Text from anywhere in Markdown: it makes neither markup nor HTML, and stays in its line."""

from __future__ import annotations

import re

from primitives.quoting import visible

_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain(text: str) -> str:
    """Text as it is: what would begin code, emphasis, a link, a picture, a formula or a cell is escaped."""
    return re.sub(r"[\\`*\[\]|$~&<>]|(?<!\w)_|_(?!\w)", lambda match: _HTML.get(match[0], f"\\{match[0]}"), _line(text))


def code(text: str) -> str:
    """Text as code."""
    line = _line(text) or " "
    ticks = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{ticks} {line} {ticks}" if "`" in line else f"`{line}`"


def code_cell(text: str) -> str:
    """Text as code in a cell of a table, where a bar would end the cell."""
    return code(text).replace("|", "\\|")


def _line(text: str) -> str:
    return " ".join(visible(text).split("\n"))
