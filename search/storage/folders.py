"""Writing folders of files: all of them, or nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from evaluators.atomic import replace_file
from search.storage.files import writing


def write_folders(home: Path, files: Mapping[Path, str | bytes]) -> None:
    """Write files into folders below one; they are built beside it and renamed, each folder in one step.

    A folder that is there keeps its other files. Where something cannot be written, all is as it was.

    Args:
        home: the folder above; made if missing.
        files: content by path below ``home``; the first part of a path is the folder's name.

    Raises:
        FileError: a file cannot be written; the message names it.
    """
    with made(home):
        with writing(home):
            fresh = Path(tempfile.mkdtemp(prefix=".writing-", dir=home))
        try:
            names = list(dict.fromkeys(path.parts[0] for path in files))
            _build(home, fresh, names, files)
            _swap(home, fresh, names)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def made(home: Path) -> Iterator[None]:
    """A folder with those above it; what was missing goes again if the block fails.

    Raises:
        FileError: it cannot be made.
    """
    missing = [folder for folder in (home, *home.parents) if not folder.exists()]
    try:
        with writing(home):
            home.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


def _build(home: Path, fresh: Path, names: Iterable[str], files: Mapping[Path, str | bytes]) -> None:
    """Make the new folders: what the old ones have, and the files."""
    for name in names:
        with writing(home / name):
            if (home / name).exists():
                shutil.copytree(home / name, fresh / name)
            else:
                (fresh / name).mkdir()
    for path, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        with writing(home / path):
            (fresh / path).parent.mkdir(parents=True, exist_ok=True)
            replace_file(fresh / path, data, fresh / "temporary")


def _swap(home: Path, fresh: Path, names: Iterable[str]) -> None:
    """Put new folders in place of old ones; if one fails, those before it are taken back."""
    done: list[str] = []
    old = fresh / "old"
    try:
        with writing(home):
            old.mkdir()
        for name in names:
            with writing(home / name):
                if (home / name).exists():
                    (home / name).rename(old / name)
                done.append(name)
                (fresh / name).rename(home / name)
    except BaseException:
        for name in done:
            if (home / name).exists():
                shutil.rmtree(home / name)
            if (old / name).exists():
                (old / name).rename(home / name)
        raise
