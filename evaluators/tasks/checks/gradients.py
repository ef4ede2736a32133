"""A directional derivative of the loss, by backpropagation and by differences: both go through the candidate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evaluators.errors import TaskError
from evaluators.machine.backend import Backend
from evaluators.places.each_place import SMOOTH, in_each_place
from evaluators.places.watching import as_it_was
from evaluators.tasks.base import Part, Task
from evaluators.training.plain import PlainModel
from evaluators.training.randomness import begin_step, own_random_numbers
from primitives.expression.expression import Expression

#: Of float64: by the first the difference keeps some 9 digits, and crosses few kinks of what else is in the network. A
#: network that computes a part in float32 has a loss with noise of 1e-8 or more, and needs larger ones.
_STEPS = (1e-6, 1e-5, 1e-4, 1e-3)


def check_gradients(task: Task, part: Part) -> None:
    """Refuse a network whose backward pass does not go through the candidate, as its forward pass does.

    Gradient checkpointing of a method or a function computes again what it holds, and calls of activations are not led
    to the candidate then. A network whose own gradient is not its derivative, such as one with straight-through
    rounding, is let through, and one that knows float32 alone is not looked at.

    Raises:
        TaskError: the two slopes differ with the candidate, and agree as the network stands.
    """
    try:
        slope, differences = _slopes(task, part, in_each_place(task, SMOOTH, part))
    except (RuntimeError, TypeError, ValueError):
        return  # the training that follows names what fails
    if not _agree(slope, differences) and _agree(*_slopes(task, part, None)):
        raise TaskError(
            f"task {task.name!r}: network: the backward pass misses the candidate: in one direction the loss rises by "
            f"{differences[0]:.6g}, and its gradient says {slope:.6g}; without the candidate both agree. If "
            "torch.utils.checkpoint holds a method or a function that calls an activation, give it a module instead"
        )


def _agree(slope: float, differences: Sequence[float]) -> bool:
    """True if one of the differences is the slope; a wrong gradient is none of them."""
    return any(abs(slope - each) <= 1e-3 * (abs(slope) + abs(each)) + 1e-7 for each in differences)


def _slopes(task: Task, part: Part, expression: Expression | None) -> tuple[float, list[float]]:
    """The slope of the first batch's loss along a random direction, by its gradient and by central differences."""
    double = Backend(dtype=torch.float64)
    model = PlainModel(task, part, expression, seed=0, rate=task.learning_rates[0], steps=1, backend=double)
    weights = [weight for weight in model.network.parameters() if weight.requires_grad]
    generator = torch.Generator("cpu").manual_seed(0)
    directions = [torch.randn(weight.shape, generator=generator, dtype=weight.dtype) for weight in weights]

    def loss() -> Tensor:
        begin_step(0, 0)
        model.masks.begin(0)
        return model.losses(model.order[0]).mean()

    def moved(by: float) -> float:
        with torch.no_grad():
            for weight, direction in zip(weights, directions, strict=True):
                weight.add_(direction, alpha=by)
        with as_it_was(model.network):
            return float(loss().detach())

    model.network.train()
    with own_random_numbers():
        with as_it_was(model.network):
            value = loss()
            model.masks.begin(0)
            value.backward()
        gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        slope = sum(float((g * d).sum()) for g, d in zip(gradients, directions, strict=True))
        differences = []
        for step in _STEPS:
            differences.append((moved(step) - moved(-2 * step)) / (2 * step))
            moved(step)  # back to where it began
        return slope, differences
