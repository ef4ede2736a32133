"""The study's journal: an Optuna journal backend that appends a whole cohort with one fsync.

Optuna's own file backend writes and syncs each trial by itself, and a torn last line makes its next append fail and
the one after that break the file. Here one process writes, lines are collected until a cohort is complete, and what
is in the file is a pure function of the cohort files, so that it can be checked and rebuilt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import UnsupportedOperation
from pathlib import Path

from optuna.storages.journal import BaseJournalBackend

from evaluators.results.json_codec import Fields, JsonObject, parsed_json
from search.storage.files import append, writing

WRITER = "actsearch"


class CohortJournal(BaseJournalBackend):
    """Journal lines of one file, written by one process.

    Args:
        path: the file; made if missing. It must end with a whole line.

    Attributes:
        length: bytes in the file.
        digest: SHA-256 of these bytes, hexadecimal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with writing(path):
            path.touch()
        content = path.read_bytes()
        self._hash = hashlib.sha256(content)
        self.length = len(content)
        self._lines = content.count(b"\n")
        self._waiting: list[JsonObject] = []
        self._batch = False

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes so far, hexadecimal."""
        return self._hash.hexdigest()

    def read_logs(self, log_number_from: int) -> Iterator[JsonObject]:
        """Lines from a number on: those in the file, then those that wait."""
        if log_number_from < self._lines:
            with self.path.open("rb") as file:
                for number, line in enumerate(file):
                    if number >= log_number_from:
                        yield _log(line, self.path, number)
        yield from self._waiting[max(0, log_number_from - self._lines) :]

    def append_logs(self, logs: list[JsonObject]) -> None:
        """Add lines; outside of a batch they are written at once."""
        self._waiting += logs
        if not self._batch:
            self._flush()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Collect lines and write them with one fsync at the end; none is written if the block fails."""
        self._batch = True
        try:
            yield
            self._flush()
        finally:
            self._batch = False
            self._waiting.clear()

    def _flush(self) -> None:
        # Optuna knows its own lines by a random writer id; it has read them by now, and the file must not be random
        text = "".join(_line(log | {"worker_id": WRITER}) for log in self._waiting)
        data = text.encode()
        append(self.path, data)
        self._hash.update(data)
        self.length += len(data)
        self._lines += len(self._waiting)
        self._waiting.clear()


class JournalCopy(BaseJournalBackend):
    """The beginning of a journal for reading: a copy, so that the process that writes it is not disturbed.

    Args:
        path: the file; a missing one is as an empty one.
        length: bytes to read.

    Attributes:
        digest: SHA-256 of what was read, hexadecimal.
    """

    def __init__(self, path: Path, length: int) -> None:
        self.path, content = path, b""
        if length and path.is_file():
            with path.open("rb") as file:
                content = file.read(length)
        self.digest = hashlib.sha256(content).hexdigest()
        self._lines = content.splitlines()

    def read_logs(self, log_number_from: int) -> Iterator[JsonObject]:
        """Lines from a number on."""
        return (_log(self._lines[n], self.path, n) for n in range(log_number_from, len(self._lines)))

    def append_logs(self, logs: list[JsonObject]) -> None:
        """Refused."""
        raise UnsupportedOperation("this copy of a journal is for reading")


def _line(log: JsonObject) -> str:
    return json.dumps(log, separators=(",", ":")) + "\n"


def _log(line: bytes, path: Path, number: int) -> JsonObject:
    place = f"{path}, line {number + 1}"
    return Fields(parsed_json(line, place), place).values


def lines_behind(path: Path, length: int) -> int:
    """How many lines there are behind the first ``length`` bytes of a file; 0 if it is missing."""
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        file.seek(length)
        return sum(1 for _ in file)


def digest_of(path: Path, length: int) -> str:
    """SHA-256 of the first ``length`` bytes of a file, hexadecimal; of fewer if it is shorter."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        for block in _blocks(file.read, length):
            hasher.update(block)
    return hasher.hexdigest()


def _blocks(read: Callable[[int], bytes], length: int) -> Iterable[bytes]:
    while length > 0:
        block = read(min(length, 1 << 20))
        if not block:
            return
        length -= len(block)
        yield block
