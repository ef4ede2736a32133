"""The ledger of looks, ``looks.jsonl`` beside the runs: whose confirmations saw which data.

It is appended to, a sealed line a look, by all jobs whose runs lie in one folder. It is no run's: a line that is
damaged is said, and counts as none. What a kill left of a line is cut off by the next look.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from evaluators.errors import RecordError
from evaluators.results.json_codec import Fields
from search.errors import DamageError, FileError
from search.records.look import Look
from search.records.look_codec import look_from_json, look_to_json
from search.storage.files import read_file, seal, unhashed, writing
from search.storage.run_folder import RunFolder


def ledger_of(folder: RunFolder) -> Path:
    """The ledger that a run's looks are in."""
    return folder.path.absolute().parent / "looks.jsonl"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is in a ledger.

    Args:
        looks: in the order of their lines.
        damage: a sentence for each line that cannot be read, or for the file.
    """

    looks: tuple[Look, ...] = ()
    damage: tuple[str, ...] = ()


def read_looks(path: Path) -> Ledger:
    """The ledger; an empty one where the file is missing."""
    try:
        return _ledger((read_file(path) or b"").splitlines(keepends=True), path)
    except FileError as error:
        return Ledger(damage=(f"{error}; looks at the same data are not counted.",))


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
        known = {(look.run, look.numbers) for look in _ledger(file, path).looks}
        new = [look for look in looks if (look.run, look.numbers) not in known]
        if new:
            file.truncate(_whole_end(file))
            file.write(b"".join(_line(look) for look in new))
            file.flush()
            os.fsync(file.fileno())


def _ledger(lines: Iterable[bytes], path: Path) -> Ledger:
    looks, damage = list[Look](), list[str]()
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            break  # a job is writing it, or was killed
        place = f"{path}, line {number}"
        try:
            looks.append(look_from_json(Fields(unhashed(line, place), place)))
        except (DamageError, RecordError):
            if b"sha256" in line:  # else of an older version, which left torn lines where they were
                damage.append(f"{place}: torn or changed; its look is not counted.")
    return Ledger(tuple(looks), tuple(damage))


def _line(look: Look) -> bytes:
    return (json.dumps(seal(look_to_json(look)), allow_nan=False) + "\n").encode()


def _whole_end(file: BinaryIO) -> int:
    """Where the last whole line ends."""
    file.seek(0)
    return sum(len(line) for line in file if line.endswith(b"\n"))
