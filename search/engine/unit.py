"""The unit of a run's gains, out of its first whole cohort: an old run is read without the files of its tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search.storage import Store


def units_by_task(store: Store, tasks: Sequence[str]) -> Mapping[str, str]:
    """The unit of the gains on each task; nats where no cohort is there that says otherwise."""
    record = next(filter(None, map(store.cohort, range(len(store.trace)))), None)
    return {name: "nats" if record is None else record.result.reference.comparison(name).unit_of_gain for name in tasks}


def together(units: Mapping[str, str]) -> str:
    """The units of all, such as ``"nats"`` or ``"nats and accuracy"``."""
    return " and ".join(dict.fromkeys(units.values()))


def unit_of(store: Store, tasks: Sequence[str]) -> str:
    """The units of all tasks, see :func:`together`."""
    return together(units_by_task(store, tasks))
