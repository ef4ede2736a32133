"""Optimisers over a stack: a learning rate and a gradient clip for each slice, which torch.optim does not have.

Everything else equals ``torch.optim.Adam``, ``torch.optim.SGD`` and ``clip_grad_norm_`` with their defaults.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
MOMENTUM = 0.9


class StackedOptimiser(ABC):
    """An optimiser of tensors whose first dimension is the row: a slice, or an element that belongs to one.

    Args:
        tensors: parameters, each of shape (rows_i, ...).
        rates: learning rates, each of shape (rows_i,), one tensor for each parameter.
    """

    #: Tensors of state for each parameter.
    states: int

    def __init__(self, tensors: Sequence[Tensor], rates: Sequence[Tensor]) -> None:
        self.rates = list(rates)
        self.state = [[torch.zeros_like(t) for t in tensors] for _ in range(self.states)]
        self.steps = 0

    @abstractmethod
    def step(self, tensors: Sequence[Tensor], gradients: Sequence[Tensor], factor: float = 1.0) -> None:
        """Update the tensors in place, with ``factor`` times the rates; a non-finite gradient spoils its row alone."""

    def keep(self, picks: Sequence[Tensor]) -> None:
        """Keep some rows of the state of each tensor, named by their indices."""
        for tensors in (self.rates, *self.state):
            tensors[:] = [tensor[pick] for tensor, pick in zip(tensors, picks, strict=True)]


class StackedAdam(StackedOptimiser):
    """Adam (Kingma and Ba 2015)."""

    states = 2

    @torch.no_grad()
    def step(self, tensors: Sequence[Tensor], gradients: Sequence[Tensor], factor: float = 1.0) -> None:
        self.steps += 1
        # the second moment's correction goes into rate and epsilon: one pass over memory less
        correction1, root = 1 - BETA1**self.steps, math.sqrt(1 - BETA2**self.steps)
        rows = zip(tensors, gradients, self.rates, *self.state, strict=True)
        for tensor, gradient, rate, first, second in rows:
            first.lerp_(gradient, 1 - BETA1)
            second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            update = second.sqrt().add_(EPSILON * root)
            torch.div(first, update, out=update)
            tensor.addcmul_(update, _by_row(rate * (factor * root / -correction1), tensor))


class StackedSGD(StackedOptimiser):
    """Gradient descent with momentum (Polyak 1964), in torch's form: the rate multiplies the accumulated gradient."""

    states = 1

    @torch.no_grad()
    def step(self, tensors: Sequence[Tensor], gradients: Sequence[Tensor], factor: float = 1.0) -> None:
        self.steps += 1
        for tensor, gradient, rate, velocity in zip(tensors, gradients, self.rates, *self.state, strict=True):
            velocity.mul_(MOMENTUM).add_(gradient)
            tensor.addcmul_(velocity, _by_row(rate * -factor, tensor))


#: By the name that a task gives.
OPTIMISERS: dict[str, type[StackedOptimiser]] = {"adam": StackedAdam, "sgd": StackedSGD}


@torch.no_grad()
def clipped(gradients: Sequence[Tensor], owners: Sequence[slice], limit: float) -> list[Tensor]:
    """Gradients scaled down where a slice's norm over all of them exceeds a limit.

    Args:
        gradients: each of shape (slices_i, ...).
        owners: which slices of the stack each belongs to; the first to all.
        limit: largest norm.

    Returns:
        New tensors. A slice whose norm is NaN becomes NaN, no other.
    """
    kind = reduce(torch.promote_types, (gradient.dtype for gradient in gradients))
    squares = torch.zeros(len(gradients[0]), dtype=kind, device=gradients[0].device)
    for gradient, owner in zip(gradients, owners, strict=True):
        squares[owner] += gradient.reshape(len(gradient), -1).to(kind).square().sum(dim=1)
    scale = (limit / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    return [(g * _by_row(scale[owner], g)).to(g.dtype) for g, owner in zip(gradients, owners, strict=True)]


def _by_row(values: Tensor, like: Tensor) -> Tensor:
    """One number a row, shaped to broadcast with a tensor."""
    return values.view(-1, *[1] * (like.dim() - 1))
