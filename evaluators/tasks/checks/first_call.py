"""The first call of a task's network: what it is called with is said where it fails."""

from __future__ import annotations

from typing import Any

import torch

from evaluators.errors import TaskError
from evaluators.machine.backend import CPU
from evaluators.tasks.base import BLOCK, Inputs, Part, Task
from evaluators.tasks.checks.settings import check_trained
from evaluators.tasks.examples import examples_of, tensors
from evaluators.training.calling import call
from evaluators.training.initialisation import initial_network
from primitives.user_file import blame_on


def first_output(task: Task, part: Part) -> Any:
    """What the untrained network returns for the first 32 examples of a part.

    Raises:
        TaskError: ``network()`` returns no module, or one of which nothing is trained; or the call fails, the message
            names file and line, and what the network was called with.
    """
    network = initial_network(task, 0)
    check_trained(task, network)
    # clones: an activation may write into its input
    inputs = examples_of(task, part).rows(slice(BLOCK)).mapped(torch.clone).mapped(CPU.place).inputs
    try:
        with torch.no_grad():
            return call(network, inputs)
    except Exception as error:
        raise TaskError(
            f"task {task.name!r}: network: {_called(inputs)} fails: {blame_on(error, task)}. data(part) decides how it "
            "is called: a tensor for network(x), a tuple for network(*x), a dict for network(**x)"
        ) from error


def _called(inputs: Inputs) -> str:
    """The call, as people write it, with the shapes."""
    shapes = [f"{tuple(tensor.shape)} of {str(tensor.dtype).removeprefix('torch.')}" for tensor in tensors(inputs)]
    if isinstance(inputs, dict):
        return f"network({', '.join(f'{name}=...' for name in inputs)}), shapes {', '.join(shapes)},"
    return f"network({', '.join('x' for _ in shapes)}), shape{'s'[: len(shapes) - 1]} {', '.join(shapes)},"
