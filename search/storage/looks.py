"""The ledger of looks, ``looks.jsonl`` beside the runs: whose confirmations saw which data.

It is appended to, a line a look, by all jobs whose runs lie in one folder. A line that is torn counts as none.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from evaluators.errors import RecordError
from evaluators.results.json_codec import Fields
from search.errors import FileError
from search.records.look import Look
from search.records.look_codec import look_from_json, look_to_json
from search.storage.files import writing
from search.storage.run_folder import RunFolder


def ledger_of(folder: RunFolder) -> Path:
    """The ledger that a run's looks are in."""
    return folder.path.absolute().parent / "looks.jsonl"


def read_looks(path: Path) -> list[Look]:
    """The looks in the order of their lines; none where the file is missing or cannot be read."""
    if not path.is_file():  # a pipe would wait for ever
        return []
    with suppress(OSError), path.open("rb") as file:
        return list(_looks(file, path))
    return []


def record_looks(path: Path, looks: Sequence[Look]) -> None:
    """Append looks, without those that the same run has recorded: a confirmation may be finished twice.

    Raises:
        FileError: the file cannot be written.
    """
    if path.exists() and not path.is_file():
        raise FileError(f"cannot write {path}: it is there and no plain file")
    with writing(path), path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed: another job's lines do not come between
        file.seek(0)
        known = {(look.run, look.numbers) for look in _looks(file, path)}
        new = [look for look in looks if (look.run, look.numbers) not in known]
        if new:
            file.write(_torn_end(file) + b"".join(_line(look) for look in new))
            file.flush()
            os.fsync(file.fileno())


def _looks(lines: Iterable[bytes], path: Path) -> Iterator[Look]:
    for line in lines:
        with suppress(ValueError, RecordError):  # torn, or of a later version
            yield look_from_json(Fields(json.loads(line), str(path)))


def _line(look: Look) -> bytes:
    return (json.dumps(look_to_json(look), allow_nan=False) + "\n").encode()


def _torn_end(file: BinaryIO) -> bytes:
    """What ends a line that a kill left torn."""
    if (size := file.seek(0, os.SEEK_END)) == 0:
        return b""
    file.seek(size - 1)
    return b"" if file.read(1) == b"\n" else b"\n"
