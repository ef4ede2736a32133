"""Adam over a stack: one learning rate for each slice.

torch.optim has no learning rate per slice; everything else equals ``torch.optim.Adam`` with its defaults.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class StackedAdam:
    """Adam (Kingma and Ba 2015) on tensors whose first dimension is the slice.

    Args:
        tensors: parameters, each of shape (slices_i, ...).
        rates: learning rates, each of shape (slices_i,), one tensor for each parameter.
    """

    def __init__(self, tensors: Sequence[Tensor], rates: Sequence[Tensor]) -> None:
        self.rates = list(rates)
        self.first = [torch.zeros_like(t) for t in tensors]
        self.second = [torch.zeros_like(t) for t in tensors]
        self.steps = 0

    @torch.no_grad()
    def step(self, tensors: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Update the tensors in place; a non-finite gradient spoils its own slice alone."""
        self.steps += 1
        correction1, correction2 = 1 - BETA1**self.steps, 1 - BETA2**self.steps
        for tensor, gradient, rate, first, second in zip(
            tensors, gradients, self.rates, self.first, self.second, strict=True
        ):
            first.lerp_(gradient, 1 - BETA1)
            second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            update = (second / correction2).sqrt_().add_(EPSILON)
            torch.div(first, update, out=update)
            tensor.addcmul_(update, (rate / -correction1).view(-1, *[1] * (tensor.dim() - 1)))

    def keep(self, picks: Sequence[Tensor]) -> None:
        """Keep some rows of the state of each tensor, named by their indices."""
        for state in (self.rates, self.first, self.second):
            state[:] = [tensor[pick] for tensor, pick in zip(state, picks, strict=True)]
