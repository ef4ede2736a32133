"""Every relative link in the repository's Markdown leads to a file that is there, and every anchor to a heading."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("docs/**/*.md")])

_LINK = re.compile(r"!?\[[^]]*\]\(\s*([^()\s]+(?:\([^()]*\)[^()\s]*)*)[^()]*\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def prose(page: Path) -> str:
    """A page without code: fenced, indented, between backticks."""
    text = _CODE.sub("", page.read_text())
    return "\n".join(line for line in text.splitlines() if not line.startswith("    "))


def anchors(page: Path) -> set[str]:
    """What Git hosts and MyST call a page's headings."""
    headings = re.findall(
        r"^#{1,6} +(.+?) *$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def wrong(page: Path, target: str) -> str:
    """Why a link is broken, or ""."""
    path, _, anchor = target.partition("#")
    found = (page.parent / path).resolve() if path else page
    if not found.exists():
        return f"{page.relative_to(ROOT)}: {target}: no such file"
    if not found.is_relative_to(ROOT):
        return f"{page.relative_to(ROOT)}: {target}: outside of the repository"
    if anchor and anchor not in anchors(found):
        return f"{page.relative_to(ROOT)}: {target}: no such heading; available: {', '.join(sorted(anchors(found)))}"
    return ""


def test_there_is_something_to_look_at() -> None:
    assert len(PAGES) > 20
    assert sum(len(_LINK.findall(prose(page))) for page in PAGES) > 30


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    targets = [target for target in _LINK.findall(prose(page)) if not re.match(r"[a-z]+:", target)]
    assert [problem for target in targets if (problem := wrong(page, target))] == []


def test_broken_links_are_seen(tmp_path: Path) -> None:
    page = ROOT / "README.md"
    assert "no such file" in wrong(page, "docs/nothing.md")
    assert "no such heading" in wrong(page, "docs/concepts.md#nothing")
    assert wrong(page, "docs/concepts.md#the-way-of-a-candidate") == ""
    text = tmp_path / "page.md"
    text.write_text("[a](b.md)\n`[c](d.md)`\n\n    [e](f.md)\n\n![g](h.svg 'title')\n")
    assert _LINK.findall(prose(text)) == ["b.md", "h.svg"]
