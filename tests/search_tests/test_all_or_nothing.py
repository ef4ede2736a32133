"""A disk that fills at any step: a folder is as it was or as it should be, and the message names a file."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from primitives.errors import ActsearchError
from search import Job, Run
from search.export.export import export
from search.storage.folders import write_folders
from tests.search_tests.conftest import contents
from tests.search_tests.made_up import made_up_run

STEPS = ("mkdir", "rename", "replace", "fsync")
Files = dict[str, bytes]


def files_below(folder: Path) -> Files:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def failing_at(patch: pytest.MonkeyPatch, number: int) -> list[str]:
    """Let the n-th step of those that take room fail; the list grows with the steps."""
    taken: list[str] = []

    def step(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            taken.append(name)
            if len(taken) == number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **named)

        return call

    for name in STEPS:
        patch.setattr(os, name, step(name, getattr(os, name)))
    return taken


def at_every_step(act: Callable[[], object], check: Callable[[], object], begin: Callable[[], object] = str) -> int:
    """Try until no step fails, and check after each failure; the number of steps."""
    for number in range(1, 1000):
        begin()
        with pytest.MonkeyPatch.context() as patch:
            taken = failing_at(patch, number)
            try:
                act()
                failed = False  # a folder that is there already need not be made
            except ActsearchError as error:
                assert "No space left on device" in str(error) and "/" in str(error)
                failed = True
        if failed:
            check()
        elif len(taken) < number:
            return number - 1
    raise AssertionError("it never ends")


def test_folders_are_written_all_or_not_at_all(tmp_path: Path) -> None:
    """Two new ones beside one that keeps its other file."""
    home = tmp_path / "far" / "out"
    new: dict[Path, str | bytes] = {Path("a/x"): "new", Path("b/deep/y"): b"new", Path("c/z"): "new"}
    before = {"a/x": b"old", "a/kept": b"kept", "other": b"other"}

    def restore() -> None:
        shutil.rmtree(home, ignore_errors=True)
        for name, data in before.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes(data)

    def unchanged() -> None:
        assert files_below(home) == before and not list(home.glob(".*"))

    assert at_every_step(lambda: write_folders(home, new), unchanged, restore) > 8
    assert files_below(home) == before | {"a/x": b"new", "b/deep/y": b"new", "c/z": b"new"}
    assert not list(home.glob(".*"))


def test_an_export_that_fails_leaves_no_file(tmp_path: Path) -> None:
    run, out = made_up_run(tmp_path / "run"), tmp_path / "new" / "out"

    def clear() -> None:
        shutil.rmtree(out.parent, ignore_errors=True)

    def nothing() -> None:
        assert not out.parent.exists()

    assert at_every_step(lambda: export(run, [], ["torch", "latex"], out), nothing, clear) > 5
    first = files_below(out)
    export(run, [], ["c"], out)
    assert first.keys() < files_below(out).keys(), "a second target is added"


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run")

    def begin() -> None:
        run.folder.report.write_text("old")

    def old() -> None:
        assert run.folder.report.read_text() in {"old", page} and not list(tmp_path.rglob("*.tmp"))

    page = run.report().read_text()
    assert at_every_step(run.report, old, begin) >= 2
    assert at_every_step(lambda: run.draw_front(tmp_path / "front.svg"), old) >= 2


@pytest.mark.slow
def test_a_launch_and_a_resume_that_fail_anywhere_go_on(small: Path) -> None:
    """A launch has made the whole folder or nothing; whatever fails later, a resume goes on to the same end."""
    changes = ["budget=12", "baseline.functions=[ELU]"]
    whole = Job.load(small, changes).launch("whole")
    failed, number = 0, 1
    while number < 400:
        shutil.rmtree("runs/part", ignore_errors=True)
        with pytest.MonkeyPatch.context() as patch:
            taken = failing_at(patch, number)
            try:
                Job.load(small, changes).launch("part")
            except ActsearchError as error:
                failed += 1
                assert "No space left on device" in str(error) and "part" in str(error)
        if len(taken) < number:
            break
        assert not list(Path("runs").glob(".part*"))
        if Path("runs/part").exists():
            assert {path.name for path in Path("runs/part").iterdir()} >= {
                "config.yaml",
                "run.json",
                "environment.json",
            }
            assert contents(Run.open("part").resume()) == contents(whole)
        number += 1 if number < 8 else 7
    assert failed > 10
