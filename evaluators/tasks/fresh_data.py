"""What the models of a task are tested on in confirmation: whose data, and how much of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from evaluators.tasks.base import Part, Task, split
from evaluators.tasks.examples import examples_of, tensors
from evaluators.tasks.loop_task import LoopTask

#: What seeds that draw their own weights share of the variance that seeds with the same weights share. Measured up to
#: .23 of it (regressions on 64 features), .00 to .13 with perceptrons; the whole would cover 98 % and more, and show
#: no gain below 1.9 standard deviations of a seed, however many there are. See benchmarks/overlap.py.
OWN_WEIGHTS = 0.25


@dataclass(frozen=True, slots=True)
class FreshData:
    """The confirmation part of a task's data.

    Args:
        data: beginning of a SHA-256 of the examples; the name of the task where its own loop takes them.
        ratio: test examples to training examples of one seed, a quarter of that where each seed draws its own weights;
            see :func:`evaluators.statistics.standard_error`.
    """

    data: str
    ratio: float


def fresh_data(task: Task, name: str) -> FreshData:
    """What the models of a task are tested on; ``name`` is the task's in requests."""
    if isinstance(task, LoopTask):
        return FreshData(name, shared_ratio(task))
    examples = examples_of(task, "confirmation")
    digest = hashlib.sha256()
    for tensor in (*tensors(examples.inputs), *tensors(examples.targets)):
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().to("cpu").contiguous().view(torch.uint8).numpy().tobytes())
    return FreshData(digest.hexdigest()[:16], shared_ratio(task))


def shared_ratio(task: Task, part: Part = "confirmation") -> float:
    """The ratio alone, which needs only the number of examples; what a task says that has its own test examples.

    In the search it is that of validation examples.
    """
    if isinstance(task, LoopTask) or (examples := examples_of(task, part)).held_out:
        return float(task.test_ratio)
    parts = split(len(examples), part, 0)  # the sizes are the same for all seeds
    judged = parts.test if part == "confirmation" else parts.validation
    share = 1.0 if task.pretrained else OWN_WEIGHTS
    return share * len(judged) / len(parts.train)
