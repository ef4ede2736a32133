"""``run.json``: what a run was launched as. It tells the run's files from those of others, and an edited config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluators.results.json_codec import Fields, JsonObject
from search.storage.files import read_sealed, write_sealed


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run is.

    Args:
        id: 16 hexadecimal digits, derived from all settings that decide results; every sealed file of the run has it.
        settings: the config as the run last took it, JSON's types.
    """

    id: str
    settings: JsonObject


def read_run_record(path: Path) -> RunRecord | None:
    """The file; None if it is missing, as in runs of older versions.

    Raises:
        DamageError: it is torn or changed.
        RecordError: it has another shape.
    """
    content = read_sealed(path)
    if content is None:
        return None
    fields = Fields(content, str(path))
    return RunRecord(fields.text("id"), fields.section("settings").values)


def write_run_record(path: Path, record: RunRecord) -> None:
    """Write the file."""
    write_sealed(path, {"id": record.id, "settings": record.settings}, indent=1)
