"""The training of a mixture: weights on one half of the training examples, the mixture on the other, in turn.

First order: the mixture's step takes the weights as they are. The weights never see a gradient of the other half: it
is taken by the mixture's parameters alone (the code of GRAFS adds it to the weights' next step).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.mixture.cell import Cell
from evaluators.mixture.request import MixtureRequest
from evaluators.seeds import derive
from evaluators.tasks.base import BLOCK, Task
from evaluators.tasks.checks.privacy import is_private
from evaluators.tasks.loop_task import LoopTask
from evaluators.tasks.ordering import ordered
from evaluators.training.plain import PlainModel
from evaluators.training.randomness import begin_step, own_random_numbers
from primitives.expression.parsing import parse

WARM = "relu(x)"  # stands in the mixture's place at first
BETAS = (0.5, 0.999)
DECAY = 1e-3


class MixtureTraining:
    """One network with a mixture in its places.

    Args:
        task: data, network and loss.
        request: the rest.

    Attributes:
        cell: the mixture.
        model: the network, with ReLU in its places; while ``mixing`` the mixture's output takes the place of ReLU's.
        halves: indices of the examples of the weights' steps and of the mixture's.

    Raises:
        TaskError: the task has a loop of its own, trains privately, or has too few examples.
        EvaluationError: a function of one number does not fit its places.
    """

    def __init__(self, task: Task, request: MixtureRequest) -> None:
        if isinstance(task, LoopTask):
            raise TaskError(f"task {task.name!r} has a loop of its own: no mixture can be trained on it")
        if is_private(task):
            raise TaskError(f"task {task.name!r} trains privately: no mixture can be trained on it")
        self.task, self.request, settings = task, request, request.settings
        self.model = PlainModel(
            task,
            "search",
            parse(WARM),
            seed=request.seed,
            rate=request.rate,
            steps=settings.steps,
            backend=request.backend,
        )
        self.halves = self._divided()
        self.cell = Cell(request.space, settings, request.seed, unit=task.scale != "none").to(request.device)
        self.optimiser = torch.optim.Adam(self.cell.parameters(), lr=settings.rate, betas=BETAS, weight_decay=DECAY)
        self.mixing = False
        for layer in self.model.activations:
            layer.register_forward_hook(self._instead)

    def _divided(self) -> tuple[Tensor, Tensor]:
        """Both halves; the model's batches, and those of the mixture, become theirs."""
        train, steps = self.model.split.train.cpu(), self.request.settings.steps
        if len(train) < 2 * BLOCK:
            raise TaskError(
                f"task {self.task.name!r}: expected at least {2 * BLOCK} training examples, half of them for the "
                f"mixture, got {len(train)}"
            )
        own, other = train[: len(train) // 2], train[len(train) // 2 :]
        task, seed, place, known = self.task, self.request.seed, self.request.backend.place, self.model.examples
        self.model.order = place(ordered(task, known, own, steps * task.accumulate, seed))
        self.order = place(ordered(task, known, other, steps, derive(seed, "mixture")))
        return own, other

    def _instead(self, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return self.cell(args[0]) if self.mixing else output

    def weight_step(self) -> float:
        """Take the next step of the weights, with the mixture held fixed; return its training loss."""
        self.cell.requires_grad_(False)
        return self.model.advance(self.model.step + 1)[0]

    def mixture_step(self) -> float:
        """Take a step of the mixture's parameters on the other half, with the weights held fixed; return its loss.

        Nothing of the network changes: neither its parameters with their gradients nor its buffers.
        """
        model, step = self.model, self.model.step
        self.cell.requires_grad_(True)
        parameters = list(self.cell.parameters())
        model.network.train()
        with own_random_numbers(), _kept(model.network):
            begin_step(model.seed, "mixture", step)
            model.masks.begin(len(model.order) + step)
            loss = model.losses(self.order[step]).mean()
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        model.network.eval()
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimiser.step()
        return float(loss.detach())

    def warmed(self) -> None:
        """The warm start is over: from here on the mixture stands in the places."""
        self.mixing = True

    def step(self) -> tuple[float, float]:
        """One step of both, the mixture's first; in the warm start of the weights alone.

        Returns:
            The training loss and the loss on the other half, NaN in the warm start.
        """
        self.cell.step = self.model.step
        held_out = self.mixture_step() if self.mixing else math.nan
        return self.weight_step(), held_out


@contextmanager
def _kept(network: nn.Module) -> Iterator[None]:
    """A context that leaves the buffers of a network, such as running statistics, as they were."""
    kept = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in kept:
                buffer.copy_(before)
