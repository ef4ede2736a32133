"""What the report is made from: a run as plain data, gathered in one pass over its study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search.config import Config
from search.files import read_json
from search.recorder import front_rows
from search.run_folder import RunFolder
from search.study import CohortStudy
from search.trace import read_trace

Row = dict[str, Any]

_WITH_WORDS = frozenset({"worker-died", "timeout", "node-lost", "raised"})  # their rows have the worker's last words
_ERRORS = 10  # read and shown, the first ones


@dataclass(frozen=True, slots=True)
class Candidate:
    """A class that was trained.

    Args:
        id: cohort and slot.
        expression: its text.
        objectives: by name; empty if it was rejected or failed.
        reason: why, or "".
        parents: ids of the candidates that it was made from.
        gain_over: mean gain over each control; empty if it failed.
        gains: over ReLU by task and seed; empty if it failed.
        spared: why it was trained to the end whatever it promised, or "".
        promises: at each stage of rejection, None for infinity; the last is the gain's negative.
    """

    id: str
    expression: str
    objectives: Mapping[str, float]
    reason: str = ""
    parents: tuple[str, ...] = ()
    gain_over: Mapping[str, float] = field(default_factory=dict)
    gains: Mapping[str, Sequence[float]] = field(default_factory=dict)
    spared: str = ""
    promises: Sequence[float | None] = ()

    @property
    def gain(self) -> float | None:
        """The first objective; None if it was rejected or failed."""
        return self.objectives.get("gain")

    @property
    def cohort(self) -> int:
        """The number of its cohort."""
        return int(self.id.partition(".")[0])


@dataclass(frozen=True, slots=True)
class Facts:
    """A run.

    Args:
        path: the folder, as it was given.
        config: the job's.
        config_text: of the file.
        trace: one line a cohort.
        candidates: in the order of training.
        front: rows of the Pareto front, cheapest first, see :func:`search.recorder.trial_row`.
        environment: the machine, empty if its file is missing.
        confirmation: what a confirmation found, or None.
        timing: measured time of the finalists by id, in ReLUs.
        errors: a worker's last words by the id of the candidate.
    """

    path: Path
    config: Config
    config_text: str = ""
    trace: Sequence[Row] = ()
    candidates: Sequence[Candidate] = ()
    front: Sequence[Row] = ()
    environment: Row = field(default_factory=dict)
    confirmation: Row | None = None
    timing: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def finalists(self) -> list[Row]:
        """Rows of the confirmation; none without one."""
        return list((self.confirmation or {}).get("finalists", ()))


def gather(folder: RunFolder, config: Config, study: CohortStudy) -> Facts:
    """A run as it is now.

    Args:
        folder: of the run.
        config: the job's.
        study: of the run; it may be at work.
    """
    candidates = [_candidate(study, number) for number in range(study.trials)]
    return Facts(
        path=folder.path,
        config=config,
        config_text=folder.config.read_text(encoding="utf-8"),
        trace=read_trace(folder.trace),
        candidates=candidates,
        front=front_rows(study, config.tasks),
        environment=read_json(folder.environment) or {},
        confirmation=read_json(folder.confirmation),
        timing=read_json(folder.timing) or {},
        errors=_errors(folder, candidates),
    )


def _candidate(study: CohortStudy, number: int) -> Candidate:
    trial = study.trial(number)
    a = trial.user_attrs
    return Candidate(
        id=a["id"],
        expression=a["expression"],
        objectives=study.values(trial),
        reason=a["reason"],
        parents=tuple(a.get("parents", ())),
        gain_over=a.get("gain_over", {}),
        gains=a.get("gains", {}),
        spared=a.get("spared", ""),
        promises=a.get("promises", ()),
    )


def _errors(folder: RunFolder, candidates: Sequence[Candidate]) -> dict[str, str]:
    """The last words of the first few workers that died."""
    broken = [c for c in candidates if c.reason in _WITH_WORDS][:_ERRORS]
    found = {}
    for candidate in broken:
        record = read_json(folder.cohort(candidate.cohort)) or {}
        rows = record.get("result", {}).get("candidates", [])
        slot = int(candidate.id.partition(".")[2])
        found[candidate.id] = rows[slot].get("error", "") if slot < len(rows) else ""
    return found
