"""``cohorts.jsonl``: one sealed line for each recorded cohort.

A kill, or a job at work, may leave the beginning of a line at the end: that is no damage, and does not count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from evaluators.results.json_codec import Fields, JsonObject
from search.errors import DamageError
from search.records.trace_codec import entry_from_json, entry_to_json
from search.records.trace_entry import TraceEntry
from search.storage.files import append, read_file, seal, unsealed, write_atomically

_SEALED = re.compile(rb'"sha256": ?"[0-9a-f]{64}"}')


def read_trace(path: Path, run: str = "") -> list[TraceEntry]:
    """The entries of all lines.

    Args:
        path: the file.
        run: id of the run.

    Raises:
        DamageError: a line is torn or changed, though another one or an end is behind it.
        RunError: a line is of another run.
        RecordError: a whole line has another shape.
    """
    return [entry_from_json(Fields(entry, f"{path}, line {n}")) for n, (_, entry) in enumerate(_lines(path, run), 1)]


def cut_trace(path: Path, run: str = "") -> int | None:
    """Cut what is behind the last whole line; return the number of the first line that went, None if none did."""
    lines: list[bytes] = []
    with suppress(DamageError):
        for line, _ in _lines(path, run):
            lines.append(line)
    if len(read_file(path) or b"") == sum(map(len, lines)):
        return None
    write_atomically(path, b"".join(lines))
    return len(lines) + 1


def append_trace(path: Path, entry: TraceEntry, run: str = "") -> None:
    """Add a cohort's line."""
    sealed = seal(entry_to_json(entry), run)
    append(path, (json.dumps(sealed, allow_nan=False, separators=(",", ":")) + "\n").encode())


def _lines(path: Path, run: str) -> Iterator[tuple[bytes, JsonObject]]:
    """The lines, as they are and without their seals, up to the first one that is torn or changed."""
    *lines, rest = (read_file(path) or b"").split(b"\n")
    for number, line in enumerate(lines):
        place = f"{path}, line {number + 1}"
        entry = unsealed(line, place, run)
        if entry.get("cohort") != number:
            raise DamageError(f"{place}: expected cohort {number}, got {str(entry.get('cohort'))[:20]}")
        yield line + b"\n", entry
    if (whole := _SEALED.search(rest)) and whole.end() < len(rest):  # a line that was torn has nothing behind it
        raise DamageError(f"{path}, line {len(lines) + 1}: torn or changed")
