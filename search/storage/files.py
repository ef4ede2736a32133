"""Files with sealed content, written atomically: under a temporary name, synced, renamed.

A seal is the id of the run and a SHA-256 of all that is before it. Runs of older versions have no id, and their files
may have no hash. All that write raise a FileError that names the file: the folder may be read-only, the disk full.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from evaluators.atomic import replace_file
from evaluators.errors import RecordError
from evaluators.results.json_codec import JsonObject, parsed_json
from primitives.errors import ActsearchError
from primitives.plain_file import read_plain
from search.errors import DamageError, FileError, RunError

Cell = str | float | None  #: of a flat table

MOST = 4 << 30  # bytes of a file of a run


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file in what the operating system complains about."""
    try:
        yield
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error
    except ValueError as error:  # a NUL character, a name that is no UTF-8
        raise FileError(f"cannot write {path}: {error}") from error


def write_atomically(path: Path, content: str | bytes, *, sync: bool = True) -> None:
    """Replace a file in one step; after a crash it has the old or the new content.

    Args:
        path: the file.
        content: of it; text becomes UTF-8.
        sync: wait until it is on the disk; of no use to a file that is written anew with each cohort.

    Raises:
        FileError: it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    with writing(path):
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is there and no plain file")
        replace_file(path, data, path.parent / f".{path.name}.tmp", sync=sync)
        if sync:
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


def read_file(path: Path) -> bytes | None:
    """The bytes of a file of a run; None if it is missing.

    Raises:
        FileError: it cannot be read, or is no plain file.
    """
    try:
        return read_plain(path, MOST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error


def seal(data: JsonObject, run: str = "") -> JsonObject:
    """The data with the id of their run, if it has one, and a SHA-256 of all as ``sha256``, the last key."""
    named = data | ({"run": run} if run else {})
    return named | {"sha256": _digest(named)}


def unsealed(text: bytes, place: str, run: str = "") -> JsonObject:
    """The data in a sealed JSON object, without the seal.

    Args:
        text: of the object.
        place: the file, and the line if it has several objects, for messages.
        run: id of the run, "" for one of an older version, where a hash may be missing.

    Raises:
        DamageError: it is torn or was changed since it was sealed.
        RunError: it is of another run.
    """
    data = unhashed(text, place, needed=bool(run))
    if (other := data.pop("run", "")) != run:
        if not run:
            raise DamageError(f"{place} is of run {other}, whose run.json is missing beside it")
        its = f"run {other}" if other else "a run without an id"
        raise RunError(f"{place} is of {its}; this is run {run}; put its own file back")
    return data


def unhashed(text: bytes, place: str, *, needed: bool = False) -> JsonObject:
    """The data in a JSON object, without their hash, which may be missing unless it is needed.

    Raises:
        DamageError: they are torn or were changed since.
    """
    try:
        data = parsed_json(text, place)
    except RecordError as error:
        raise _damage(place, f" ({str(error).removeprefix(place).lstrip(': ')})") from None
    if not isinstance(data, dict):
        raise _damage(place, " (it is no object)")
    digest = data.pop("sha256", None)
    if digest != _digest(data) and (needed or digest is not None):
        raise _damage(place)
    return data


def _damage(place: str, why: str = "") -> DamageError:
    return DamageError(f"{place}: torn or changed{why}; actsearch resume mends it, or says what is lost")


def run_in(path: Path) -> str:
    """The id of the run that a sealed file is of; "" where it has none, or is missing or damaged."""
    with suppress(ActsearchError):
        data = parsed_json(read_file(path) or b"", str(path))
        if isinstance(data, dict) and data.pop("sha256", None) == _digest(data):
            return str(data.get("run", ""))
    return ""


def write_sealed(path: Path, data: JsonObject, run: str = "", *, indent: int | None = None) -> None:
    """Write sealed JSON atomically, on one line: indented it takes Python's own encoder, ten times as long."""
    text = _sealed_text(data, run) if indent is None else json.dumps(seal(data, run), allow_nan=False, indent=indent)
    write_atomically(path, text + "\n")


def _sealed_text(data: JsonObject, run: str) -> str:
    """The text of :func:`seal`: what the hash is of, and the hash; the data are encoded once."""
    text = json.dumps(data | ({"run": run} if run else {}), allow_nan=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f'{text[:-1]}{", " if len(text) > 2 else ""}"sha256": "{digest}"}}'


def read_sealed(path: Path, run: str = "") -> JsonObject | None:
    """The data in a file of sealed JSON; None if it is missing.

    Raises:
        DamageError, RunError: see :func:`unsealed`.
        FileError: it cannot be read, or is no plain file.
    """
    text = read_file(path)
    return None if text is None else unsealed(text, str(path), run)


def _digest(data: JsonObject) -> str:
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
