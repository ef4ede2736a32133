"""Run data: a run as plain data for the report, gathered in one pass over its study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluators.results.control_labels import label_of
from evaluators.results.json_codec import JsonObject
from evaluators.results.reasons import Reason, code_of
from evaluators.results.records import reference_name
from primitives.user_file import label
from search.config import Config, to_yaml
from search.confirmation import Confirmation, confirmation_of
from search.confirmation.in_words import looks_in_words
from search.confirmation.record import Compared
from search.engine.rivals import rivals_in
from search.engine.rows import front_rows, known_rows
from search.engine.study import Study
from search.engine.unit import together, units_by_task
from search.records.class_row import ClassRow
from search.records.timing_codec import read_timing
from search.records.trace_entry import TraceEntry
from search.records.trial import TrialRecord
from search.storage import Store
from search.storage.files import read_sealed
from search.storage.looks import ledger_of, read_looks
from search.storage.run_folder import RunFolder

#: Their rows have the worker's last words.
_WITH_WORDS = {Reason.WORKER_DIED, Reason.TIMEOUT, Reason.NODE_LOST, Reason.RAISED}
_LOST = "not known: the file of its cohort is missing, torn or changed"
_ERRORS = 10  # read and shown, the first ones


@dataclass(frozen=True, slots=True)
class Candidate:
    """A class that was trained.

    Args:
        trial: as the study keeps it.
        objectives: by name; empty if it was rejected or failed.
    """

    trial: TrialRecord
    objectives: Mapping[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Cohort and slot."""
        return self.trial.id

    @property
    def expression(self) -> str:
        """Its text."""
        return self.trial.expression

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of the candidates that it was made from."""
        return self.trial.parents

    @property
    def reason(self) -> str:
        """The code of why it was rejected or failed, or ""."""
        return code_of(self.trial.reason)

    @property
    def gain(self) -> float | None:
        """The first objective; None if it was rejected or failed."""
        return self.objectives.get("gain")

    @property
    def better(self) -> bool:
        """Its loss was lower than the reference's."""
        return (self.trial.gain or 0.0) > 0


@dataclass(frozen=True, slots=True)
class RunData:
    """A run.

    Args:
        path: the folder, as it was given.
        config: the job's.
        config_text: the same as YAML.
        trace: one line a cohort.
        candidates: in the order of training.
        front: the Pareto front, cheapest first.
        known: the known functions of the baseline with their names, best first.
        environment: the machine, empty if its file is missing.
        confirmation: what a confirmation found, or None.
        timing: measured time of the finalists by id, in ReLUs.
        errors: a worker's last words by the id of the candidate.
        units: of the gains, by label of the task.
        looks: sentences on earlier looks at the confirmation data.
    """

    path: Path
    config: Config
    config_text: str = ""
    trace: Sequence[TraceEntry] = ()
    candidates: Sequence[Candidate] = ()
    front: Sequence[ClassRow] = ()
    known: Sequence[tuple[str, ClassRow]] = ()
    environment: JsonObject = field(default_factory=dict)
    confirmation: Confirmation | None = None
    timing: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    looks: Sequence[str] = ()

    @property
    def unit(self) -> str:
        """Of the gain over all tasks."""
        return together(self.units) or "nats"

    @property
    def rivals(self) -> tuple[str, ...]:
        """The names of the controls."""
        return rivals_in(candidate.trial for candidate in self.candidates)

    @property
    def reference(self) -> str:
        """What gains are over, for people."""
        return label_of(reference_name(self.rivals))

    @property
    def tested(self) -> list[Compared]:
        """The finalists with their short forms, as the reader wants them; none without a confirmation."""
        return self.confirmation.ordered if self.confirmation else []

    @property
    def finalists(self) -> list[Compared]:
        """The finalists without their short forms."""
        return [row for row in self.tested if not row.finalist.of]


def gather(folder: RunFolder, config: Config, study: Study) -> RunData:
    """A run as it is now.

    Args:
        folder: of the run.
        config: the job's.
        study: of the run; it may be at work.
    """
    candidates = [Candidate(trial, trial.objectives) for trial in study.store.trials]
    confirmation = confirmation_of(folder)
    ledger = read_looks(ledger_of(folder))
    return RunData(
        path=folder.path,
        config=config,
        config_text=to_yaml(config),
        trace=study.store.trace,
        candidates=candidates,
        front=front_rows(study, config.tasks),
        known=known_rows(study, config.tasks),
        environment=read_sealed(folder.environment, folder.run) or {},
        confirmation=confirmation,
        timing=read_timing(folder.timing, folder.run),
        errors=_errors(study.store, candidates),
        units={label(name): unit for name, unit in units_by_task(study.store, config.tasks).items()},
        looks=[*looks_in_words(confirmation, ledger.looks), *ledger.damage] if confirmation else (),
    )


def _errors(store: Store, candidates: Sequence[Candidate]) -> dict[str, str]:
    """The last words of the first few workers that died, or that their cohort's file is lost."""
    broken = [c.trial for c in candidates if c.trial.reason in _WITH_WORDS][:_ERRORS]
    records = {number: store.cohort(number) for number in {trial.cohort for trial in broken}}
    return {
        trial.id: record.result.candidates[trial.slot].error if (record := records[trial.cohort]) else _LOST
        for trial in broken
    }
