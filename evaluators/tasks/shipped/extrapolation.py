"""A sine, fitted on two periods and judged on the next one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from evaluators.networks import CoordinateNetwork
from evaluators.seeds import torch_generator
from evaluators.tasks.base import Part
from evaluators.tasks.shipped.sized import SizedTask

TRAIN, JUDGED = 1024, 256  # points


class PeriodicExtrapolation(SizedTask):
    """The sine of points within [-2 pi, 2 pi] is learnt, that of points within [2 pi, 4 pi] is asked for.

    The question of Snake (Ziyin, Hartwig and Ueda 2020, arXiv:2006.08195), with torch's own initial weights. The loss
    is the mean squared error. 0 everywhere has one of 0.5, and most functions are worse than that, ReLU among them: so
    no loss counts as that of a network that has learnt nothing. Both parts of the data have points of their own.
    """

    title, usual = "periodic-extrapolation", (2, 64)
    learning_rates = (3e-3, 1e-2)  # at smaller ones ReLU has not fitted the two periods after 500 steps
    steps = 500
    loss_floor = 1e-3
    initial = "own"
    scale = "none"

    def network(self) -> nn.Module:
        return CoordinateNetwork(1, self.width, self.depth, 1)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _points(part, "train", TRAIN, -2 * math.pi)

    def held_out(self, part: Part) -> tuple[Tensor, Tensor]:
        return _points(part, "judged", JUDGED, 2 * math.pi)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean(dim=1)


def _points(part: Part, use: str, count: int, start: float) -> tuple[Tensor, Tensor]:
    """Points from ``start`` to 4 pi or 2 pi further, spread evenly, and their sines."""
    span = 4 * math.pi if use == "train" else 2 * math.pi
    x = torch.rand(count, 1, generator=torch_generator(0, "periodic", part, use), device="cpu") * span + start
    return x, x.sin()
