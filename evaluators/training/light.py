"""A plain model for a short look at a network, without ``torch.optim``.

That loads ``torch._dynamo`` when its first optimiser is made: 1.7 s CPU, ten times what a short look takes.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from evaluators.tasks.optimisers import optimiser_named
from evaluators.training.optimiser import StackedOptimiser, stacked
from evaluators.training.plain import PlainModel
from primitives.layers.activation import Activation


class LightModel(PlainModel):
    """A :class:`PlainModel` that a stack's optimisers train: each parameter is a row of its own.

    Equal to it but for rounding. A state cannot be restored.
    """

    @cached_property
    def _optimisers(self) -> list[tuple[Tensor, StackedOptimiser]]:
        """Parameters with their optimisers; as torch's do, they count the steps that had a gradient."""
        settings = optimiser_named(self.task.optimiser)
        modules = [each for each in self.network.modules() if isinstance(each, Activation)]
        own = {id(tensor) for each in modules for tensor in each.parameters()}
        return [
            (tensor, stacked(settings, [tensor.detach()[None]], [self._rate(tensor)], own=int(id(tensor) in own)))
            for tensor in self.network.parameters()
        ]

    def _rate(self, tensor: Tensor) -> Tensor:
        return torch.full((1,), self.rate, dtype=tensor.dtype, device=tensor.device)

    def _update(self, factor: float) -> None:
        for tensor, optimiser in self._optimisers:
            if tensor.grad is not None:
                optimiser.step([tensor.detach()[None]], [tensor.grad[None]], factor)
