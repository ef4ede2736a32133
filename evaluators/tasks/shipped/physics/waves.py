"""Poisson's and Helmholtz' equation on a square, with standing waves as their solutions."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from evaluators.networks import CoordinateNetwork, WithDerivatives
from evaluators.tasks.base import Part
from evaluators.tasks.shipped.physics.field import FieldTask, Trial


class StandingWaves(FieldTask):
    """-u_xx - u_yy - k^2 u = f on [-1, 1]^2, u = 0 on the edge; f is such that u = sin(a (x + 1)) sin(b (y + 1)).

    a and b are multiples of pi/2. The network is multiplied by (1 - x^2) (1 - y^2), so the edge needs no loss. The loss
    is the squared residual in units of the amplitude of f, a^2 + b^2 - k^2.

    Attributes:
        halves: numbers of half waves along x and y. Those of confirmation are the search's, turned: another solution,
            as hard.
        wavenumber: k.
    """

    halves: ClassVar[dict[Part, tuple[int, int]]]
    wavenumber: ClassVar[float]

    def network(self) -> nn.Module:
        return WithDerivatives(Trial(CoordinateNetwork(2, self.width, self.depth, 1), _zero_on_the_edge))

    def told(self, part: Part, points: Tensor) -> Tensor:
        """f in units of its amplitude, k^2 and 1 in these units, u."""
        along = torch.tensor(self.halves[part], dtype=points.dtype, device="cpu") * math.pi / 2
        exact = torch.sin(along * (points + 1)).prod(dim=1)
        amplitude = along.square().sum() - self.wavenumber**2
        squared, unit = (torch.full_like(exact, value) for value in (self.wavenumber**2, 1.0))
        return torch.stack([exact, squared / amplitude, unit / amplitude, exact], dim=1)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        field, _, _, *seconds = output.unbind(dim=1)
        force, squared, unit, _ = target.unbind(dim=1)
        return (-unit * sum(seconds) - squared * field - force).square()


class Poisson(StandingWaves):
    """Two half waves by one; k = 0."""

    title, usual = "pinn-poisson", (2, 32)
    halves: ClassVar[dict[Part, tuple[int, int]]] = {"search": (1, 2), "confirmation": (2, 1)}
    wavenumber = 0.0


class Helmholtz(StandingWaves):
    """Three half waves by two, at k = 4: beyond the two lowest resonances of the square, k^2 = 4.9 and 12.3."""

    title, usual = "pinn-helmholtz", (2, 32)
    halves: ClassVar[dict[Part, tuple[int, int]]] = {"search": (2, 3), "confirmation": (3, 2)}
    wavenumber = 4.0


def _zero_on_the_edge(points: Tensor, values: Tensor) -> Tensor:
    x, y = (1 - points.square()).split(1, dim=1)  # torch's prod has no batching rule for its derivatives
    field: Tensor = x * y * values
    return field
