"""Recovery: brings the study of a killed run back to the end of its last recorded cohort.

A cohort's own file is written first, then the journal, then one line of the trace with the journal's length and
hash. What is behind the last whole line of the trace is cut and told again from the cohort files, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from search.errors import RunError
from search.files import read_json, write_atomically
from search.journal import digest_of
from search.run_folder import RunFolder
from search.scoring import Scoring
from search.study import CohortStudy

Say = Callable[[str], None]


def read_trace(folder: RunFolder) -> list[dict[str, Any]]:
    """The whole lines of the trace, up to the first one that is torn."""
    lines: list[dict[str, Any]] = []
    if not folder.trace.exists():
        return lines
    for line in folder.trace.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            break
        if not isinstance(entry, dict) or entry.get("cohort") != len(lines):
            break
        lines.append(entry)
    return lines


def recover(folder: RunFolder, say: Say, scoring: Scoring) -> tuple[CohortStudy, list[dict[str, Any]]]:
    """Repair and open the study.

    Returns:
        The study and the trace; they end with the same cohort.

    Raises:
        RunError: the journal is damaged and a cohort file that could rebuild it is missing or was changed.
    """
    folder.journal.with_name(folder.journal.name + ".lock").unlink(missing_ok=True)
    trace = read_trace(folder)
    text = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in trace)
    if folder.trace.exists() and folder.trace.read_text(encoding="utf-8", errors="replace") != text:
        say(f"{folder.trace.name}: cut behind line {len(trace)}")
        write_atomically(folder.trace, text)
    if not trace:
        folder.journal.unlink(missing_ok=True)
        return CohortStudy(folder.journal, scoring), trace
    length, digest = trace[-1]["journal_bytes"], trace[-1]["journal_sha256"]
    if folder.journal.exists() and digest_of(folder.journal, length) == digest:
        if folder.journal.stat().st_size > length:
            with folder.journal.open("r+b") as file:
                file.truncate(length)
        return CohortStudy(folder.journal, scoring), trace
    return _rebuild(folder, trace, say, scoring), trace


def _rebuild(folder: RunFolder, trace: list[dict[str, Any]], say: Say, scoring: Scoring) -> CohortStudy:
    """Write the journal again from the cohort files; the damaged one is kept beside it."""
    fresh = folder.journal.with_name("study.journal.new")
    fresh.unlink(missing_ok=True)
    study = CohortStudy(fresh, scoring)
    for entry in trace:
        path = folder.cohort(entry["cohort"])
        record = read_json(path)
        if record is None:
            raise RunError(f"{folder.journal} is damaged and {path}, needed to rebuild it, is missing or torn")
        study.add(record)
        if study.journal.digest != entry["journal_sha256"]:
            raise RunError(f"{folder.journal} is damaged and {path} is not what was recorded in {folder.trace.name}")
    if folder.journal.exists():
        kept = _free(folder)
        say(f"{folder.journal.name}: line {_first_difference(folder)} was damaged; rebuilt, the old one is {kept.name}")
        folder.journal.replace(kept)
    else:
        say(f"{folder.journal.name}: was missing; rebuilt from the cohort files")
    fresh.replace(folder.journal)
    return CohortStudy(folder.journal, scoring)


def _first_difference(folder: RunFolder) -> int:
    """Number of the first line of the journal that differs from the rebuilt one."""
    old = folder.journal.read_bytes().splitlines()
    new = folder.journal.with_name("study.journal.new").read_bytes().splitlines()
    return next((n for n, (a, b) in enumerate(zip(old, new, strict=False), 1) if a != b), min(len(old), len(new)) + 1)


def _free(folder: RunFolder) -> Any:
    number = 1
    while (path := folder.journal.with_name(f"study.journal.damaged-{number}")).exists():
        number += 1
    return path
