"""The tutorial says what the package does."""

from __future__ import annotations

import doctest
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_tutorial_runs() -> None:
    found = doctest.testfile(str(DOCS / "primitives.md"), module_relative=False)
    assert found.attempted > 30
    assert found.failed == 0
