"""An absolute hurdle: the accuracy that a candidate must have at a rung, as in EvoNorm (Liu et al. 2020).

There layers below 20 % on validation examples after 100 steps go. The floor takes the place of the two failures that
compare a loss with the reference's: a candidate that learns slowly stays.
"""

from __future__ import annotations

import numpy as np

from evaluators.comparison import NATS, Comparison, readings_of
from evaluators.errors import TaskError
from evaluators.machine.backend import CPU
from evaluators.results.reasons import Reason
from evaluators.tasks.base import BLOCK, Task
from evaluators.tasks.examples import examples_of
from evaluators.tasks.loop_task import LoopTask
from evaluators.training.calling import call
from evaluators.training.initialisation import initial_network
from evaluators.training.member import Array, best_rate
from evaluators.training.outputs import of_loss

READING = "accuracy"  # its name among a task's readings


def below(floor: float, accuracies: Array, losses: Array, comparison: Comparison = NATS) -> Reason | None:
    """Why a candidate fails at a rung by its accuracy, or None.

    Args:
        floor: the smallest accuracy that goes on, from 0 to 1.
        accuracies: of the candidate, seeds x learning rates; NaN at those that it no longer has.
        losses: its losses, likewise.
        comparison: the task's.

    Returns:
        ``DIVERGED`` if no learning rate is finite on every seed; ``INACCURATE`` if the mean accuracy over the seeds is
        below the floor at every learning rate; else None.
    """
    if not np.isfinite(losses.mean(axis=0)[best_rate(comparison.costs(losses))]):
        return Reason.DIVERGED
    means = accuracies.mean(axis=0)
    return Reason.INACCURATE if not means[np.isfinite(means)].max(initial=0.0) >= floor else None


def check_accuracy(task: Task) -> None:
    """Refuse a task whose accuracy is not known: its readings are looked at, of a network that was just made.

    Raises:
        TaskError: the message names its readings.
    """
    found: tuple[str, ...] = ()
    if not isinstance(task, LoopTask):
        few = examples_of(task, "search").rows(slice(BLOCK)).mapped(CPU.place)
        output = of_loss(task, call(initial_network(task, 0).eval(), few.inputs))
        found = tuple(readings_of(task, output, few.targets))
    if READING not in found:
        raise TaskError(
            f"task {task.name!r}: rejection.accuracy: expected a reading {READING!r}, which tasks with the default "
            f"loss have and others give by readings(), got {', '.join(found) or 'none'}"
        )
