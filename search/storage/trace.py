"""``cohorts.jsonl``: one line for each recorded cohort, with a hash of its own."""

from __future__ import annotations

import json
from pathlib import Path

from evaluators.results.json_codec import Fields, JsonObject
from search.records.trace_codec import entry_from_json, entry_to_json
from search.records.trace_entry import TraceEntry
from search.storage.files import append, seal, unsealed, write_atomically


def read_trace(path: Path) -> list[TraceEntry]:
    """The whole lines, up to the first one that is torn or changed.

    Raises:
        RecordError: a whole line has another shape.
    """
    return [entry_from_json(Fields(entry, f"{path}, line {n}")) for n, (_, entry) in enumerate(_whole(path), 1)]


def cut_trace(path: Path) -> int | None:
    """Cut what is behind the last whole line; return the number of the first line that went, None if none did."""
    lines = [line for line, _ in _whole(path)]
    if not path.exists() or path.stat().st_size == sum(map(len, lines)):
        return None
    write_atomically(path, b"".join(lines))
    return len(lines) + 1


def append_trace(path: Path, entry: TraceEntry) -> None:
    """Add a cohort's line."""
    append(path, (json.dumps(seal(entry_to_json(entry)), allow_nan=False, separators=(",", ":")) + "\n").encode())


def _whole(path: Path) -> list[tuple[bytes, JsonObject]]:
    """The whole lines, as they are and as JSON's reader gives them."""
    whole: list[tuple[bytes, JsonObject]] = []
    for line in path.read_bytes().splitlines(keepends=True) if path.exists() else []:
        try:
            entry = unsealed(json.loads(line))
        except (json.JSONDecodeError, UnicodeDecodeError):
            break
        if entry is None or entry.get("cohort") != len(whole) or not line.endswith(b"\n"):
            break
        whole.append((line, entry))
    return whole
