"""The plain trainer: one model at a time with ordinary modules and ``torch.optim``; the stack must equal it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluators.initialisation import initial_network, normalised
from evaluators.task import Task, batches, split
from primitives.activation import Activation, channels_of, replace
from primitives.expressions import Expression


class PlainModel:
    """One function, one seed, one learning rate.

    Args:
        task: data, network and loss.
        part: the part of the data.
        expression: the candidate; applied normalised, as in the stack.
        seed: of weights, split and data order.
        rate: Adam's learning rate.
        steps: the number of steps that the data order is made for.
        dtype: of weights and data.
    """

    def __init__(
        self,
        task: Task,
        part: str,
        expression: Expression,
        *,
        seed: int,
        rate: float,
        steps: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.task = task
        x, self.y = task.data(part)
        self.x = x.to(dtype) if x.is_floating_point() else x
        self.split = split(len(x), part, seed)
        self.order = batches(self.split.train, steps, task.batch_size, seed)
        network = initial_network(task, seed)
        function = normalised(expression)
        sites = _site_channels(network, task, x[: len(self.order[0])])
        replace(network, task.replaced, lambda: Activation(function, channels=sites.pop(0)))
        self.network = network.to(dtype)
        for module in network.modules():
            if isinstance(module, Activation):
                module.reset_parameters()  # initial values rounded to dtype, not to float32 before
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=rate)
        self.step = 0

    def advance(self, steps: int) -> list[float]:
        """Train up to step number ``steps``; return the training loss of each step taken."""
        losses = []
        for index in self.order[self.step : steps]:
            self.optimiser.zero_grad()
            loss = self.task.loss(self.network(self.x[index]), self.y[index]).mean()
            loss.backward()
            self.optimiser.step()
            losses.append(float(loss.detach()))
        self.step = steps
        return losses

    @torch.no_grad()
    def loss(self, kind: str) -> float:
        """Mean loss on ``"validation"`` or ``"test"`` examples."""
        index: Tensor = getattr(self.split, kind)
        return float(self.task.loss(self.network(self.x[index]), self.y[index]).mean())


def _site_channels(network: nn.Module, task: Task, x: Tensor) -> list[int]:
    """Channels at each place that a candidate will take, in the order in which ``replace`` visits them."""
    channels: dict[nn.Module, int] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        channels[module] = channels_of(inputs[0])

    places = [module for module in network.modules() if isinstance(module, task.replaced)]
    hooks = [place.register_forward_pre_hook(note) for place in places]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return [channels[place] for place in places]
