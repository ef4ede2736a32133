"""The controls of a job's first cohort: without the reference there is nothing to search for."""

from __future__ import annotations

import numpy as np

from evaluators.results.records import MemberResult
from evaluators.training.member import best_rate
from primitives.user_file import label
from search.errors import ReferenceLossError
from search.records.cohort import CohortRecord

REFERENCE = "relu"


def check_reference(record: CohortRecord) -> None:
    """End a job whose every gain would be a comparison with nothing.

    Raises:
        ReferenceLossError: ReLU has no finite loss on a task.
    """
    for task in record.tasks:
        if diverged(record.result.controls[REFERENCE], task):
            rates = record.result.relu.losses[task][max(record.result.relu.losses[task])].shape[1]
            raise ReferenceLossError(
                f"ReLU, the reference of all gains, has no finite loss on {label(task)}: at none of its {rates} "
                "learning rates on every seed; nothing can be compared with it. Look at the task's loss and data, or "
                "launch with smaller training.learning_rates"
            )


def notes(record: CohortRecord) -> list[str]:
    """A line for each other control and task without a finite loss."""
    others = [(name, row) for name, row in record.result.controls.items() if name != REFERENCE]
    return [
        f"note: the control {name} has no finite loss on {label(task)}; no gain over it is known there"
        for name, row in others
        for task in record.tasks
        if diverged(row, task)
    ]


def diverged(row: MemberResult, task: str) -> bool:
    """True if a member was trained to the end, and no learning rate kept its loss finite on every seed."""
    if row.reason or not row.losses.get(task):
        return False
    final = row.losses[task][max(row.losses[task])]
    return not np.isfinite(final.mean(axis=0)[best_rate(row.comparison(task).costs(final))])
