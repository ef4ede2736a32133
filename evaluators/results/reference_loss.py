"""Controls without a finite loss: without the reference there is nothing to compare with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.errors import ReferenceLossError
from evaluators.results.control_labels import CURRENT
from evaluators.results.records import CohortResult, MemberResult, reference_name
from evaluators.training.member import best_rate
from primitives.user_file import label


def check_reference(result: CohortResult, tasks: Sequence[str], way_out: str) -> None:
    """Refuse a result whose every gain would be a comparison with nothing.

    Args:
        result: of a cohort.
        tasks: names.
        way_out: what helps where the task is right, for the message.

    Raises:
        ReferenceLossError: the reference has no finite loss on a task.
    """
    for task in tasks:
        if diverged(result.reference, task):
            rates = result.reference.losses[task][max(result.reference.losses[task])].shape[1]
            raise ReferenceLossError(
                f"{_reference_on(result, task)}, the reference of all gains, has no finite loss on {label(task)}: at "
                f"none of its {rates} learning rates on every seed; nothing can be compared with it. Look at the "
                f"task's loss and data, or {way_out}"
            )


def notes(result: CohortResult, tasks: Sequence[str]) -> list[str]:
    """A line for each other control and task without a finite loss."""
    others = [(name, row) for name, row in result.controls.items() if name != reference_name(result.controls)]
    return [
        f"note: the control {name} has no finite loss on {label(task)}; no gain over it is known there"
        for name, row in others
        for task in tasks
        if diverged(row, task)
    ]


def diverged(row: MemberResult, task: str) -> bool:
    """True if a member was trained to the end, and no learning rate kept its loss finite on every seed."""
    if row.reason or not row.losses.get(task):
        return False
    final = row.losses[task][max(row.losses[task])]
    return not np.isfinite(final.mean(axis=0)[best_rate(row.comparison(task).costs(final))])


def _reference_on(result: CohortResult, task: str) -> str:
    current = result.controls.get(CURRENT)
    return "ReLU" if current is None or task not in current.losses else "the network as it stands"
