"""A second network fits what a first one has left, as in multi-stage neural networks (Wang and Lai 2023)."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from evaluators.machine.threads import one_thread
from evaluators.networks import CoordinateNetwork
from evaluators.seeds import derive, torch_generator
from evaluators.tasks.base import Part
from evaluators.tasks.shipped.physics.errors import relative_error
from evaluators.tasks.shipped.sized import SizedTask

TRAIN, JUDGED = 512, 512  # points
WIDTH = 32  # of the first stage
RATE, STEPS = 1e-2, 2000  # of the first stage's training by Adam
KEPT = 256  # first stages that a process keeps, as many seeds as a job has at once; each takes 5 kB


class FirstStage(nn.Module):
    """A small network with tanh, frozen, and what the next stage needs to know of its error.

    Attributes:
        scale: the root mean square of its error.
        frequency: pi/2 times the number of times that its error changes its sign between -1 and 1.
    """

    scale: Tensor
    frequency: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fit = nn.Sequential(
            nn.Linear(1, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1)
        )
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("frequency", torch.ones(1))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """The fit at points ``x``, shape (batch, 1)."""
        fit: Tensor = self.fit(x)
        return fit


class TwoStages(nn.Module):
    """A first stage, and a network beside it whose input is stretched by the frequency of the first one's error."""

    def __init__(self, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = FirstStage(), second

    def forward(self, x: Tensor) -> Tensor:
        """The first fit, the scale of its error and the second fit in units of it, shape (batch, 3)."""
        first = self.first(x)
        return torch.cat([first, self.first.scale.expand_as(first), self.second(self.first.frequency * x)], dim=1)


class MultiStage(SizedTask):
    """sin(2 x + 1) + exp(1.3 x) / 5 on [-1, 1]: a first network has fitted it, the candidate's fits the error.

    The error is in units of its root mean square, and the loss is the squared error in these units. Judged is the
    relative L2 error of both together. Numbers are float32, whose rounding the second stage's targets show: it sets a
    floor of about 1e-7.
    """

    title, usual = "multi-stage", (2, 32)
    learning_rates = (3e-3, 1e-2)
    schedule = "cosine"
    steps = 1000
    loss_floor = 1e-8

    def network(self) -> nn.Module:
        return TwoStages(CoordinateNetwork(1, self.width, self.depth, 1))

    def prepare(self, network: nn.Module, seed: int) -> None:
        """Put the seed's first stage in; it is trained once in each process."""
        network.get_submodule("first").load_state_dict(_first_stage(seed))

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _points(part, "train", TRAIN)

    def held_out(self, part: Part) -> tuple[Tensor, Tensor]:
        return _points(part, "judged", JUDGED)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        first, scale, second = output.unbind(dim=1)
        return ((target[:, 0] - first) / scale - second).square()

    def metric(self, output: Tensor, target: Tensor) -> Tensor:
        first, scale, second = output.double().unbind(dim=1)
        return relative_error(first + scale * second, target[:, 0])

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"error of the first stage": relative_error(output[:, 0], target[:, 0])}


def _points(part: Part | str, use: str, count: int) -> tuple[Tensor, Tensor]:
    """Points spread evenly, and the function there."""
    generator = torch_generator(0, "multi-stage", part, use)
    x = 2 * torch.rand(count, 1, generator=generator, device="cpu", dtype=torch.float64) - 1
    return x.float(), ((2 * x + 1).sin() + (1.3 * x).exp() / 5).float()


@lru_cache(maxsize=KEPT)
def _first_stage(seed: int) -> dict[str, Tensor]:
    """What a seed's first stage is after its training, by name, on the CPU in float32; it is not to be changed."""
    x, y = (column for column in _points("first", "train", TRAIN))
    order = x[:, 0].argsort()
    x, y = x[order], y[order]
    with one_thread(), torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(derive(seed, "first stage"))
        stage = FirstStage().requires_grad_(True)
        optimiser = torch.optim.Adam(stage.fit.parameters(), lr=RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
        for _ in range(STEPS):
            optimiser.zero_grad()
            (stage(x) - y).square().mean().backward()
            optimiser.step()
            schedule.step()
        error = (y - stage(x)).detach()
    stage.scale.copy_(error.square().mean().sqrt())
    stage.frequency.copy_(math.pi / 2 * (error[1:] * error[:-1] < 0).sum())
    return {name: tensor.detach() for name, tensor in stage.state_dict().items()}
