"""What the models of a task are tested on in confirmation: whose data, and how much of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from evaluators.tasks.base import Task, split
from evaluators.tasks.examples import examples_of, tensors
from evaluators.tasks.loop_task import LoopTask


@dataclass(frozen=True, slots=True)
class FreshData:
    """The confirmation part of a task's data.

    Args:
        data: beginning of a SHA-256 of the examples; the name of the task where its own loop takes them.
        ratio: test examples to training examples of one seed, see :func:`evaluators.statistics.standard_error`.
    """

    data: str
    ratio: float


def fresh_data(task: Task, name: str) -> FreshData:
    """What the models of a task are tested on; ``name`` is the task's in requests."""
    if isinstance(task, LoopTask):
        return FreshData(name, float(task.test_ratio))
    examples = examples_of(task, "confirmation")
    parts = split(len(examples), "confirmation", 0)  # the sizes are the same for all seeds
    digest = hashlib.sha256()
    for tensor in (*tensors(examples.inputs), *tensors(examples.targets)):
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().to("cpu").contiguous().view(torch.uint8).numpy().tobytes())
    return FreshData(digest.hexdigest()[:16], len(parts.test) / len(parts.train))
