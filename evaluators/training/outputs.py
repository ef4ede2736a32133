"""What of a network's output goes to the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from evaluators.errors import TaskError
from evaluators.tasks.base import Task


def of_loss(task: Task, output: Any) -> Any:
    """What the task's loss takes: its own loss takes the output as it is, the default one the logits.

    Logits are the output itself if it is a tensor, its ``.logits``, its entry ``"logits"``, or the first of a tuple.

    Raises:
        TaskError: there are none.
    """
    if isinstance(output, Tensor) or type(task).loss is not Task.loss:
        return output
    found = getattr(output, "logits", None)
    if found is None and isinstance(output, Mapping):
        found = output.get("logits")
    if found is None and isinstance(output, tuple | list) and output:
        found = output[0]
    if isinstance(found, Tensor):
        return found
    raise TaskError(
        f"task {task.name!r}: network: it returns a {type(output).__name__}, of which the default loss takes logits: "
        "expected a tensor, a tuple that begins with one, or one in .logits; write loss(output, target) for another"
    )
