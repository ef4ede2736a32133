"""Files with sealed content, written atomically: under a temporary name, synced, renamed.

All that write raise a FileError that names the file: the folder may be read-only, the disk full.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from evaluators.atomic import replace_file
from evaluators.results.json_codec import JsonObject
from search.errors import FileError

Cell = str | float | None  #: of a flat table


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file in what the operating system complains about."""
    try:
        yield
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}") from error
    except ValueError as error:  # a NUL character, a name that is no UTF-8
        raise FileError(f"cannot write {path}: {error}") from error


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a file in one step; after a crash it has the old or the new content."""
    data = content.encode() if isinstance(content, str) else content
    with writing(path):
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is there and no plain file")
        replace_file(path, data, path.parent / f".{path.name}.tmp")
        _sync_folder(path.parent)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> str:
    """Rows as CSV, floats in full precision; what a row lacks, and None, is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def append(path: Path, data: bytes) -> None:
    """Add to a file and sync it."""
    with writing(path), path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, data: object) -> None:
    """Write strict JSON atomically: no NaN, no infinity."""
    write_atomically(path, json.dumps(data, allow_nan=False, indent=1) + "\n")


def read_json(path: Path) -> JsonObject | None:
    """Read a mapping from JSON; None if the file is missing, torn, or no mapping."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    return content if isinstance(content, dict) else None


def seal(data: JsonObject) -> JsonObject:
    """The data with a SHA-256 of it as ``sha256``, the last key."""
    return data | {"sha256": _digest(data)}


def unsealed(data: object) -> JsonObject | None:
    """The data without its ``sha256``; None where that is not the data's, or they are no mapping."""
    if not isinstance(data, dict):
        return None
    digest = data.pop("sha256", None)
    return data if digest in (None, _digest(data)) else None  # None: written before there were seals


def write_sealed(path: Path, data: JsonObject) -> None:
    """Write sealed JSON atomically, on one line: indented it takes Python's own encoder, ten times as long."""
    write_atomically(path, json.dumps(seal(data), allow_nan=False) + "\n")


def read_sealed(path: Path) -> JsonObject | None:
    """Read sealed JSON; None if the file is missing, torn or changed."""
    return unsealed(read_json(path))


def _digest(data: JsonObject) -> str:
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
