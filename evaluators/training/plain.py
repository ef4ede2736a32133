"""The plain trainer: one model at a time with ordinary modules and ``torch.optim``; the stack must equal it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from evaluators.machine.backend import CPU, Backend
from evaluators.tasks.base import HeldOut, Part, Task, batches, split
from evaluators.tasks.checks import check_network, check_settings
from evaluators.training.initialisation import initial_network, normalised
from evaluators.training.optimiser import MOMENTUM
from evaluators.training.sites import find_sites
from primitives.expression.expression import Expression
from primitives.layers.activation import Activation


class PlainModel:
    """One function, or the network as it stands, one seed, one learning rate.

    Args:
        task: data, network and loss.
        part: the part of the data.
        expression: the candidate; applied normalised, as in the stack. None leaves the network as it stands.
        seed: of weights, split and data order.
        rate: the learning rate.
        steps: the number of steps that the data order is made for.
        backend: device and types.

    Raises:
        TaskError: a setting of the task, or a module of its network, cannot be trained in a stack.
    """

    def __init__(
        self,
        task: Task,
        part: Part,
        expression: Expression | None,
        *,
        seed: int,
        rate: float,
        steps: int,
        backend: Backend = CPU,
    ) -> None:
        check_settings(task)
        self.task, self.backend = task, backend
        x, y = task.data(part)
        self.x, self.y = backend.place(x), backend.place(y)
        self.split = split(len(x), part, seed)
        self.order = batches(self.split.train, steps, task.batch_size, seed)
        network = initial_network(task, seed)
        backend.move(network)
        check_network(task, network)
        if expression is not None:
            function = normalised(expression)
            for site in find_sites(network, task, self.x[: len(self.order[0])]):
                site.put(Activation(function, channels=site.channels, device="cpu"))
        backend.move(network)
        self.network = network
        for module in network.modules():
            if isinstance(module, Activation):
                module.reset_parameters()  # initial values rounded to dtype, not to float32 before
        self.optimiser = _optimiser(task, self.network, rate)
        self.scheduler = CosineAnnealingLR(self.optimiser, T_max=steps) if task.schedule == "cosine" else None
        self.step = 0

    def advance(self, steps: int) -> list[float]:
        """Train up to step number ``steps``; return the training loss of each step taken."""
        losses = []
        for index in self.order[self.step : steps]:
            self.optimiser.zero_grad()
            loss = self._losses(index).mean()
            loss.backward()
            if self.task.clip is not None:
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.task.clip)
            self.optimiser.step()
            if self.scheduler is not None:
                self.scheduler.step()
            losses.append(float(loss.detach()))
        self.step = steps
        return losses

    @torch.no_grad()
    def loss(self, kind: HeldOut) -> float:
        """Mean loss on ``"validation"`` or ``"test"`` examples."""
        index: Tensor = getattr(self.split, kind)
        return float(self._losses(index).mean())

    def _losses(self, index: Tensor) -> Tensor:
        """Loss of each example."""
        with self.backend.mixed():
            output = self.network(self.x[index])
        return self.task.loss(self.backend.place(output), self.y[index])


def _optimiser(task: Task, network: nn.Module, rate: float) -> torch.optim.Optimizer:
    if task.optimiser == "sgd":
        return torch.optim.SGD(network.parameters(), lr=rate, momentum=MOMENTUM)
    return torch.optim.Adam(network.parameters(), lr=rate)
