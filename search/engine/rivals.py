"""The controls of a run as its trials name them: an old run is read without the files of its tasks."""

from __future__ import annotations

from collections.abc import Iterable

from evaluators.results.control_labels import CURRENT, family_of
from evaluators.tasks import task
from evaluators.tasks.checks.settings import has_current
from search.config import Config
from search.records.trial import TrialRecord
from search.storage import Store


def rivals_in(trials: Iterable[TrialRecord]) -> tuple[str, ...]:
    """Names of all that trials are compared with; a user's network as it stands is the first."""
    seen = dict.fromkeys(name for trial in trials for name in trial.gain_over)
    return tuple(sorted(dict.fromkeys((*family_of(seen), *seen)), key=lambda name: name != CURRENT))


def keeps_current(config: Config, store: Store) -> bool:
    """False for a run that was begun with ReLU as the reference of tasks that have another one now.

    A run keeps the reference that it was begun with: gains over two would be compared.
    """
    record = store.cohort(0)
    if record is None or CURRENT in record.result.controls:
        return True
    return not any(has_current(task(name)) for name in config.tasks)
