"""Losses that the native engine has, told from the numbers that a task's own loss gives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from evaluators.seeds import torch_generator
from evaluators.tasks.base import Task

#: Sizes of the outputs that are tried: a clamp or a Huber loss shows at the larger ones.
_SCALES = (0.1, 1.0, 30.0, 1000.0)


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

    The task's loss is called with outputs of several sizes; its values and its gradients must be those of a loss here
    to twelve digits, in float64.

    Args:
        task: whose loss it is.
        shape: of an example's output.
        targets: of some examples.
    """
    if not isinstance(targets, Tensor):
        return None
    if targets.is_floating_point():
        if targets.shape[1:] != shape or not shape:
            return None
        found = [Loss(1.0), Loss(1.0 / max(1, targets[0].numel()))]
        targets = targets.double()
    else:
        found = [Loss()] if targets.dim() == 1 and len(shape) == 1 else []
    generator = torch_generator(0, "native loss")
    for scale in _SCALES:
        outputs = torch.randn(len(targets), *shape, generator=generator, dtype=torch.float64, device="cpu") * scale
        found = [loss for loss in found if _agree(task, loss, outputs, targets)]
    return found[0] if found else None


def _agree(task: Task, loss: Loss, outputs: Tensor, targets: Tensor) -> bool:
    try:
        with torch.enable_grad():
            rows = [_values_and_slopes(each, outputs, targets) for each in (task.loss, loss)]
    except Exception:  # a loss of a user's may raise anything, in float64, too
        return False
    return all(a.shape == b.shape and torch.allclose(a, b, rtol=1e-12, atol=1e-12) for a, b in zip(*rows, strict=True))


def _values_and_slopes(loss: object, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    assert callable(loss)
    leaf = outputs.clone().requires_grad_()
    losses = loss(leaf, targets)
    (gradient,) = torch.autograd.grad(losses.sum(), leaf)
    return losses.detach().double(), gradient
