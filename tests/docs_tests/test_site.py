"""The site is built without a warning, and a broken link is one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def built(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """As `make docs` does."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-c", "docs", ".", str(out)]
    return subprocess.run(command, cwd=source, capture_output=True, text=True)


def test_it_is_built_without_a_warning(tmp_path: Path) -> None:
    done = built(ROOT, tmp_path)
    assert done.returncode == 0, done.stderr
    pages = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.html")}
    sources = [path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")]
    assert {str(path.with_suffix(".html")) for path in sources} | {"README.html", "CHANGELOG.html"} <= pages
    assert "docs/index.html" in (tmp_path / "index.html").read_text()
    assert 'href="docs/concepts.html"' in (tmp_path / "README.html").read_text()


def test_a_broken_link_is_an_error(tmp_path: Path) -> None:
    for name in ("docs", "runs", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.json", "*.npz", "*.csv", "*-*"))
    for page in ROOT.glob("*.md"):
        shutil.copy(page, tmp_path)
    (tmp_path / "README.md").write_text("# README\n\n[nothing](docs/nothing.md)\n")
    done = built(tmp_path, tmp_path / "build")
    assert done.returncode != 0
    assert "nothing.md" in done.stderr
