"""Optimisers over a stack: a learning rate and a gradient clip for each slice, which torch.optim does not have.

Everything else equals ``torch.optim.Adam``, ``AdamW``, ``SGD`` and ``clip_grad_norm_``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from evaluators.gpu.optimisers import FusedStep, usable_for
from evaluators.native.adam import adam_step, engine_for
from evaluators.tasks.optimisers import SGD, Adam, AdamW, Optimiser
from primitives.layers.activation import Activation


class StackedOptimiser(ABC):
    """An optimiser of tensors whose first dimension is the row: a slice, or an element that belongs to one.

    Args:
        tensors: parameters, each of shape (rows_i, ...).
        rates: learning rates, each of shape (rows_i,), one tensor for each parameter.
        decays: weight decay, one number for each parameter.
    """

    #: Tensors of state for each parameter.
    states: int

    def __init__(self, tensors: Sequence[Tensor], rates: Sequence[Tensor], decays: Sequence[float]) -> None:
        self.fused: FusedStep | None = None
        self.rates, self.decays = list(rates), list(decays)
        self.state = [[torch.zeros_like(t) for t in tensors] for _ in range(self.states)]
        self.steps = 0

    @abstractmethod
    def step(self, tensors: Sequence[Tensor], gradients: Sequence[Tensor], factor: float = 1.0) -> None:
        """Update the tensors in place, with ``factor`` times the rates; a non-finite gradient spoils its row alone."""

    def _taken(
        self, settings: Optimiser, tensors: Sequence[Tensor], gradients: Sequence[Tensor], factor: float
    ) -> bool:
        """The step is taken by one kernel, where that can be."""
        if not usable_for(tensors, [*self.rates, *(each for row in self.state for each in row)], gradients):
            return False
        if self.fused is None:
            self.fused = FusedStep(settings, tensors, self.rates, self.decays)
        self.fused.step(self.steps, factor, tensors, [each.contiguous() for each in gradients], *self.state)
        return True

    def keep(self, picks: Sequence[Tensor]) -> None:
        """Keep some rows of the state of each tensor, named by their indices."""
        self.fused = None
        for tensors in (self.rates, *self.state):
            tensors[:] = [tensor[pick] for tensor, pick in zip(tensors, picks, strict=True)]


class StackedAdam(StackedOptimiser):
    """Adam (Kingma and Ba 2015), and AdamW (Loshchilov and Hutter 2019), which keeps the decay out of the moments."""

    states = 2

    def __init__(
        self, settings: Adam, tensors: Sequence[Tensor], rates: Sequence[Tensor], decays: Sequence[float]
    ) -> None:
        super().__init__(tensors, rates, decays)
        self.settings, self.decoupled = settings, isinstance(settings, AdamW)

    @torch.no_grad()
    def step(self, tensors: Sequence[Tensor], gradients: Sequence[Tensor], factor: float = 1.0) -> None:
        self.steps += 1
        if self._taken(self.settings, tensors, gradients, factor):
            return
        rest = (gradients, *self.state, self.rates)
        if (engine := engine_for(tensors, rest)) is not None:
            adam_step(engine, self.settings, self.steps, factor, self.decays, tensors, *rest)
            return
        beta1, beta2 = self.settings.betas
        # the second moment's correction goes into rate and epsilon: one pass over memory less
        correction1, root = 1 - beta1**self.steps, math.sqrt(1 - beta2**self.steps)
        rows = zip(tensors, gradients, self.rates, self.decays, *self.state, strict=True)
        for tensor, gradient, rate, decay, first, second in rows:
            if decay and self.decoupled:
                tensor.mul_(_by_row(1 - rate * (factor * decay), tensor))
            elif decay:
                gradient = gradient.add(tensor, alpha=decay)
            first.lerp_(gradient, 1 - beta1)
            second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            update = second.sqrt().add_(self.settings.eps * root)
            torch.div(first, update, out=update)
            tensor.addcmul_(update, _by_row(rate * (factor * root / -correction1), tensor))


class StackedSGD(StackedOptimiser):
    """Gradient descent with momentum (Polyak 1964), in torch's form: the rate multiplies the accumulated gradient."""

    states = 1

    def __init__(
        self, settings: SGD, tensors: Sequence[Tensor], rates: Sequence[Tensor], decays: Sequence[float]
    ) -> None:
        super().__init__(tensors, rates, decays)
        self.settings = settings

    @torch.no_grad()
    def step(self, tensors: Sequence[Tensor], gradients: Sequence[Tensor], factor: float = 1.0) -> None:
        self.steps += 1
        if self._taken(self.settings, tensors, gradients, factor):
            return
        momentum, ahead = self.settings.momentum, self.settings.nesterov
        rows = zip(tensors, gradients, self.rates, self.decays, *self.state, strict=True)
        for tensor, gradient, rate, decay, velocity in rows:
            if decay:
                gradient = gradient.add(tensor, alpha=decay)
            velocity.mul_(momentum).add_(gradient)
            update = gradient.add(velocity, alpha=momentum) if ahead else velocity
            tensor.addcmul_(update, _by_row(rate * -factor, tensor))


def stacked(
    settings: Optimiser, tensors: Sequence[Tensor], rates: Sequence[Tensor], *, own: int = 0
) -> StackedOptimiser:
    """The optimiser of a stack.

    Args:
        settings: which, and how.
        tensors: parameters, each of shape (rows_i, ...).
        rates: learning rates, each of shape (rows_i,), one tensor for each parameter.
        own: the last so many are the candidates' own parameters, which are not decayed.
    """
    decays = [settings.weight_decay] * (len(tensors) - own) + [0.0] * own
    if isinstance(settings, SGD):
        return StackedSGD(settings, tensors, rates, decays)
    return StackedAdam(settings, tensors, rates, decays)


def plain(settings: Optimiser, network: nn.Module, rate: float) -> torch.optim.Optimizer:
    """torch's optimiser of one network; what belongs to an :class:`Activation` in it is not decayed.

    Without decay all is one group, in the same order: a group more costs a small network a tenth of its step.
    """
    decay = settings.weight_decay
    own = {id(p) for module in network.modules() if isinstance(module, Activation) for p in module.parameters()}
    others, owned = ([p for p in network.parameters() if (id(p) in own) == is_own] for is_own in (False, True))
    parts = [(others, decay), (owned, 0.0)] if decay else [([*others, *owned], 0.0)]
    groups = [{"params": parameters, "weight_decay": of_part} for parameters, of_part in parts if parameters]
    if isinstance(settings, SGD):
        return torch.optim.SGD(groups, lr=rate, momentum=settings.momentum, nesterov=settings.nesterov)
    kind = torch.optim.AdamW if isinstance(settings, AdamW) else torch.optim.Adam
    return kind(groups, lr=rate, betas=settings.betas, eps=settings.eps)


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
