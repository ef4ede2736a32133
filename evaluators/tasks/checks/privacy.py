"""Whether a task trains privately, and refusals of what cannot be private."""

from __future__ import annotations

from torch import nn

from evaluators.errors import TaskError
from evaluators.privacy.settings import Privacy
from evaluators.tasks.base import Task
from evaluators.tasks.loop_task import LoopTask

_OVER_EXAMPLES = (nn.modules.batchnorm._BatchNorm,)


def is_private(task: Task) -> bool:
    """True if the task says so for some number of steps."""
    return type(task).privacy is not Task.privacy


def privacy_of(task: Task, steps: int) -> Privacy | None:
    """How private a training of so many steps is; None if it is not.

    Raises:
        TaskError: a setting means nothing.
        EvaluationError: the library that counts epsilon is needed and not installed.
    """
    privacy = task.privacy(steps)
    fault = privacy.fault() if privacy else None
    if fault:
        raise TaskError(f"task {task.name!r}: privacy: {fault}")
    return privacy


def check_private(task: Task) -> None:
    """Refuse settings that a private training has no use for.

    Raises:
        TaskError: the message names the task and what stands in the way.
    """
    if not is_private(task):
        return
    place = f"task {task.name!r}: privacy"
    if isinstance(task, LoopTask):
        raise TaskError(f"{place}: expected it of a task without a loop of its own; clip and add noise in fit()")
    if type(task).order is not Task.order:
        raise TaskError(f"{place}: batches are drawn at random, or epsilon would mean nothing: leave order() out")
    if task.accumulate != 1:
        raise TaskError(
            f"{place}: accumulate: expected 1, got {task.accumulate}; a larger sampling takes more examples"
        )


def check_apart(task: Task, network: nn.Module) -> None:
    """Refuse a network in private training whose output for an example depends on the others.

    Raises:
        TaskError: the message names the module.
    """
    if not is_private(task):
        return
    for name, module in network.named_modules():
        if isinstance(module, _OVER_EXAMPLES):
            raise TaskError(
                f"task {task.name!r}: privacy: expected a network that takes each example by itself, but {name} is a "
                f"{type(module).__name__}, which takes statistics of a batch; GroupNorm and LayerNorm do not"
            )
