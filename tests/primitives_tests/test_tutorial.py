"""Pages with Python say what the package does."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("page", "fewest"), [("primitives.md", 31), ("monotone.md", 8), ("layers.md", 16)])
def test_a_page_runs(page: str, fewest: int) -> None:
    found = doctest.testfile(str(DOCS / page), module_relative=False)
    assert found.attempted >= fewest
    assert found.failed == 0
