"""Denoising score matching in the plane: a network says what noise was added to points of a curve."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor, nn

from evaluators.networks import mlp
from evaluators.seeds import torch_generator
from evaluators.tasks.base import Part
from evaluators.tasks.readings import r_squared
from evaluators.tasks.shipped.sized import SizedTask

POINTS = 16_384
#: Standard deviations of the noise, log-uniform between both; a coordinate of the points has deviation 1.
SMALLEST, LARGEST = 0.05, 1.0
TURNS = 1.5  # of the spiral


class DenoisingScore(SizedTask):
    """Score matching at all noises (Vincent 2011; Song and Ermon 2019): two moons, and a spiral in confirmation.

    The network is given a noisy point x + sigma e and sigma, and predicts e, both coordinates. The loss is the sum of
    both squared errors, so what gives 0 everywhere has a loss of 2. The score of the noisy density is -E[e] / sigma.
    """

    title, usual = "denoising-score", (3, 64)
    chance = 2.0
    batch_size = 128
    learning_rates = (1e-3, 3e-3, 1e-2)
    steps = 400

    def network(self) -> nn.Module:
        return mlp(3, self.width, self.depth, 2)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _noisy(part)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().sum(dim=1)

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"R2": r_squared(output, target)}


@cache
def _noisy(part: Part) -> tuple[Tensor, Tensor]:
    """Noisy points with their sigma, shape (points, 3), and the noise in units of sigma, shape (points, 2)."""
    draw = torch_generator(0, "denoising-score", part)
    along = torch.rand(POINTS, generator=draw, device="cpu")
    curve = _moons(along, torch.arange(POINTS, device="cpu") % 2) if part == "search" else _spiral(along)
    curve = (curve - curve.mean(dim=0)) / curve.std(dim=0)
    share = torch.rand(POINTS, 1, generator=draw, device="cpu")
    sigma = SMALLEST * (LARGEST / SMALLEST) ** share
    noise = torch.randn(POINTS, 2, generator=draw, device="cpu")
    return torch.cat([curve + sigma * noise, sigma], dim=1), noise


def _moons(along: Tensor, which: Tensor) -> Tensor:
    """Points of two half circles, those of ``sklearn.datasets.make_moons`` without noise, shape (points, 2)."""
    arc = torch.stack([torch.cos(math.pi * along), torch.sin(math.pi * along)], dim=1)
    return torch.where(which[:, None] == 0, arc, torch.tensor([1.0, 0.5], device="cpu") - arc)


def _spiral(along: Tensor) -> Tensor:
    """Points of a spiral of Archimedes, evenly spread over its length but near the middle, shape (points, 2)."""
    angle = 2 * math.pi * TURNS * along.sqrt()
    return angle[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
