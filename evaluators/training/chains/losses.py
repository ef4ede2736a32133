"""Losses that the native engine has, told from the numbers that a task's own loss gives."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from evaluators.seeds import torch_generator
from evaluators.tasks.base import BLOCK, Task

#: How far outputs that are tried lie from the targets: floors, clamps and Huber losses show at the ends.
_DISTANCES: tuple[float, ...] = (1e-6, 0.1, 1.0, 30.0, 1000.0, 1e6, 1e12)
_LOGITS: tuple[float, ...] = (0.1, 1.0, 30.0, 1000.0)  # at larger ones the rounding of two writings differs
_NUMBERS = 2**20  # outputs at once


@dataclass(frozen=True, slots=True)
class Loss:
    """Cross-entropy of labels; or ``scale`` times the squared distance from the targets, summed over an example."""

    scale: float | None = None

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Losses of the examples, shape (batch,)."""
        if self.scale is None:
            return F.cross_entropy(output, target, reduction="none")
        return (output - target).square().flatten(1).sum(dim=1) * self.scale


def loss_of(task: Task, shape: tuple[int, ...], targets: object) -> Loss | None:
    """The loss that a task has, if the engine has it.

    The task's loss is called with outputs of several sizes, and with all targets, or all labels that there are: a rare
    one may be marked or weighted. Its values and its gradients must be those of a loss here to twelve digits, in
    float64.

    Args:
        task: whose loss it is.
        shape: of an example's output.
        targets: of all examples.
    """
    if not isinstance(targets, Tensor) or not shape:
        return None
    if targets.is_floating_point():
        found = [Loss(1.0), Loss(1.0 / max(1, math.prod(shape)))] if targets.shape[1:] == shape else []
        few, sizes = targets[:BLOCK], _DISTANCES
    else:
        found = [Loss()] if _are_labels(targets, shape) else []
        targets = targets.unique() if found else targets
        few, sizes = targets[torch.arange(BLOCK, device="cpu") % len(targets)], _LOGITS
    if not found:
        return None
    rows = max(1, min(len(targets), _NUMBERS // max(1, math.prod(shape))))
    noise = torch.randn(
        max(rows, BLOCK), *shape, generator=torch_generator(0, "native loss"), dtype=torch.float64, device="cpu"
    )
    for part, size in (*((few, size) for size in sizes), *((part, 1.0) for part in targets.split(rows))):
        found = [loss for loss in found if _agree(task, loss, noise[: len(part)] * size, part)]
    return found[0] if found else None


def _are_labels(targets: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether each target is a number of a class. Others, such as -100 for none, have no place in the engine."""
    if targets.dtype != torch.int64 or targets.dim() != 1 or len(shape) != 1:
        return False
    return bool(((targets >= 0) & (targets < shape[0])).all())


def _agree(task: Task, loss: Loss, noise: Tensor, targets: Tensor) -> bool:
    is_squared = loss.scale is not None
    targets = targets.double() if is_squared else targets
    outputs = targets + noise if is_squared else noise
    try:
        with torch.enable_grad():
            rows = [_values_and_slopes(each, outputs, targets) for each in (task.loss, loss)]
    except Exception:  # a loss of a user's may raise anything, in float64, too
        return False
    near = 0.0 if is_squared else 1e-12  # a sure class has a loss of rounding alone
    return all(a.shape == b.shape and torch.allclose(a, b, rtol=1e-12, atol=near) for a, b in zip(*rows, strict=True))


def _values_and_slopes(loss: object, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    assert callable(loss)
    leaf = outputs.clone().requires_grad_()
    losses = loss(leaf, targets)
    (gradient,) = torch.autograd.grad(losses.sum(), leaf)
    return losses.detach().double(), gradient
