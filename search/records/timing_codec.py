"""``timing.json``: the finalists' measured time by id, in times of ReLU's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators.results.json_codec import Fields
from search.storage.files import read_sealed, write_sealed


def read_timing(path: Path, run: str = "") -> dict[str, float]:
    """The times; none where the file is missing.

    Raises:
        DamageError: it is torn or changed.
        RecordError: it has another shape.
    """
    times = Fields(read_sealed(path, run) or {}, str(path))
    return {name: times.number(name) for name in times}


def write_timing(path: Path, times: Mapping[str, float], run: str = "") -> None:
    """Write the file."""
    write_sealed(path, dict(times), run, indent=1)
