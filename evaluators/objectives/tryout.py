"""An objective of a user's file tried out on one step: what cannot work is refused before anything is written."""

from __future__ import annotations

import torch

from evaluators.cohort import CohortRequest, run_cohort
from evaluators.objectives.measured import MeasuredObjective
from evaluators.objectives.objective import Trained
from evaluators.objectives.registry import objective
from evaluators.places.each_place import LEARNED, in_each_place
from evaluators.tasks.base import Task
from primitives.errors import UserFileError
from primitives.quoting import quoted
from primitives.user_file import made


def try_out_objective(reference: str, task: Task, seeds: int) -> None:
    """Train a function for one step, measure it if the objective does, and take the objective's number.

    Raises:
        UserFileError: the objective fails, with file and line, or gives no number.
        TaskError: there are too few seeds, or the task cannot be measured.
    """
    own = objective(reference)
    measured = (reference,) if isinstance(own, MeasuredObjective) else ()
    tried = in_each_place(task, LEARNED)
    request = CohortRequest(
        (tried.text,), (task.name,), 0, seeds, 1, rates=task.learning_rates[:1], nulls=0, measured=measured
    )

    def value() -> object:
        result = run_cohort(request, lambda _: task)
        return own.value(Trained(tried, result.candidates[0], 0.0, result.reference, request.tasks))

    with torch.random.fork_rng(devices=[]):
        found = made(reference, "objective", value)
    if not isinstance(found, float | int):
        raise UserFileError(f"objective {quoted(own.name)}: expected a number, got {quoted(found)}")
