"""Burgers' equation: a sine that steepens into a front."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.networks import CoordinateNetwork, WithDerivatives
from evaluators.tasks.base import Part
from evaluators.tasks.shipped.physics.field import FieldTask, Trial
from evaluators.tasks.shipped.physics.quadrature import Array

_NODES = 128  # of the Gauss-Hermite rule


def cole_hopf(x: Array, t: Array, viscosity: float) -> Array:
    """The solution of u_t + u u_x = nu u_xx with u = -sin(pi x) at t = 0, by the transform of Cole and Hopf.

    It is the mean of -sin(pi y) over y = x - sqrt(4 nu t) z, weighted by exp(-z^2 - cos(pi y) / (2 pi nu)); taken by
    Gauss-Hermite quadrature. Good to 1e-9 at viscosities from .05/pi on, for t up to 1.

    Args:
        x, t: of one shape, x within [-1, 1], t from 0 on.
        viscosity: nu.
    """
    nodes, weights = np.polynomial.hermite.hermgauss(_NODES)
    y = x[..., None] - np.sqrt(4 * viscosity * t)[..., None] * nodes
    shares = weights * np.exp(-(1 + np.cos(np.pi * y)) / (2 * np.pi * viscosity))
    mean: Array = -(shares * np.sin(np.pi * y)).sum(axis=-1) / shares.sum(axis=-1)
    return mean


class Burgers(FieldTask):
    """u_t + u u_x = nu u_xx for x in [-1, 1] and t in [0, 1], u = -sin(pi x) at the beginning, 0 on the edge.

    The problem of Raissi, Perdikaris and Karniadakis 2019 at ten times their viscosity: theirs, .01/pi, has a front of
    a hundredth of the width, which no network finds in seconds. Beginning and edge hold exactly: u = -sin(pi x) + t
    (1 - x^2) N(x, t).
    """

    title, usual = "pinn-burgers", (3, 32)
    batch_size, steps = 128, 500
    low = (-1.0, 0.0)
    viscosity: ClassVar[dict[Part, float]] = {"search": 0.1 / math.pi, "confirmation": 0.12 / math.pi}

    def network(self) -> nn.Module:
        return WithDerivatives(Trial(CoordinateNetwork(2, self.width, self.depth, 1), _from_a_sine), second=(0,))

    def told(self, part: Part, points: Tensor) -> Tensor:
        """nu, u."""
        x, t = points.numpy().T
        exact = torch.from_numpy(cole_hopf(x, t, self.viscosity[part]))
        return torch.stack([torch.full_like(exact, self.viscosity[part]), exact], dim=1)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        u, by_x, by_t, by_xx = output.unbind(dim=1)
        return (by_t + u * by_x - target[:, 0] * by_xx).square()


def _from_a_sine(points: Tensor, values: Tensor) -> Tensor:
    x, t = points.split(1, dim=1)
    field: Tensor = t * (1 - x.square()) * values - torch.sin(math.pi * x)
    return field
