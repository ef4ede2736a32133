"""The wheels: the plain one has the engine's source, the other one its libraries, which need no compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from evaluators.native.flags import recipe
from evaluators.native.processor import lacking

pytest.importorskip("hatchling")

ROOT = Path(__file__).resolve().parents[2]
SOURCE = b"int bytes(void) { return (int)sizeof(REAL); }\n"  # stands for the engine's
NEEDED = ("primitives", "evaluators", "search", "configs", "pyproject.toml", "README.md", "LICENSE", ".gitignore")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or bool(lacking()) or shutil.which("cc") is None, reason="no engine can be built here"
)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The project's folder without what lies there besides."""
    folder = tmp_path / "sources"
    folder.mkdir()
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    (folder / "evaluators/native/engine.c").write_bytes(SOURCE)
    return folder


def wheel(sources: Path, **environment: str) -> Path:
    out = sources.parent / "wheels"
    command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", str(out)]
    done = subprocess.run(
        [*command, str(sources)],
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(out.parent)} | environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.iterdir()
    return built


def native(built: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(built) as file:
        names = [name for name in file.namelist() if name.startswith("evaluators/native/") and not name.endswith(".py")]
        return {name.removeprefix("evaluators/native/"): file.read(name) for name in names}


def test_the_plain_wheel_has_the_source_alone(sources: Path) -> None:
    built = wheel(sources)
    assert built.name.endswith("-py3-none-any.whl")
    assert native(built) == {"engine.c": SOURCE}


def test_the_libraries_of_the_other_wheel_are_used_without_a_compiler(sources: Path, tmp_path: Path) -> None:
    built = wheel(sources, HATCH_BUILD_HOOK_ENABLE_CUSTOM="true")
    assert "-py3-none-linux_" in built.name
    made = [recipe(SOURCE, double=double) for double in (False, True)]
    assert native(built).keys() == {"engine.c", *(f"lib/{each.file}" for each in made if each)}
    site = tmp_path / "site"
    with zipfile.ZipFile(built) as file:
        file.extractall(site)
    code = (
        "from evaluators.native.library import engine, why_none\n"
        "assert not why_none(), why_none()\n"
        "print(*(each.file.parent for each in engine()), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site), "PATH": "/nonexistent", "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.stdout.splitlines() == [str(site / "evaluators/native/lib")] * 2, done.stderr
    assert not (tmp_path / "cache").exists()
