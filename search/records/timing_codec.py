"""``timing.json``: the finalists' measured time by id, in times of ReLU's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators.results.json_codec import Fields
from search.storage.files import read_json, write_json


def read_timing(path: Path) -> dict[str, float]:
    """The times; none where the file is missing or torn.

    Raises:
        RecordError: it has another shape.
    """
    times = Fields(read_json(path) or {}, str(path))
    return {name: times.number(name) for name in times}


def write_timing(path: Path, times: Mapping[str, float]) -> None:
    """Write the file."""
    write_json(path, dict(times))
