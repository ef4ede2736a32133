"""What the pages of docs/ tell to write."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def block(page: str, word: str) -> str:
    """The indented block of a page that has a word in it."""
    found = re.findall(r"(?:^(?: {4}.*)?\n)*^ {4}.*\n", (DOCS / page).read_text(), re.MULTILINE)
    (text,) = [text for text in found if word in text]
    return textwrap.dedent(text).strip("\n") + "\n"
