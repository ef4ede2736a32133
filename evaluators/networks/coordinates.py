"""Coordinate networks: a point in, the value of a field there out, and its derivatives where an equation needs them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluators.networks.mlp import mlp


class CoordinateNetwork(nn.Module):
    """A field over points, shape (batch, inputs), each coordinate about within [-1, 1].

    Points get one more coordinate, always 1: its weights are the random biases that the initialisation, which zeroes
    biases, would else leave out; without them the kinks of all first units meet at the origin.

    Args:
        inputs: coordinates of a point.
        width: units of a hidden layer.
        depth: number of hidden layers, each with one activation.
        outputs: values at a point, 3 for a colour.
        frequency: what coordinates are multiplied with; the first layer is the wider the larger it is.
    """

    def __init__(self, inputs: int, width: int, depth: int, outputs: int, *, frequency: float = 1.0) -> None:
        super().__init__()
        self.frequency = frequency
        self.field = mlp(inputs + 1, width, depth, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """The field at points ``x``, shape (batch, outputs)."""
        result: Tensor = self.field(self.frequency * F.pad(x, (0, 1), value=1.0))
        return result


class WithDerivatives(nn.Module):
    """A scalar field u with its derivatives, shape (batch, 1 + 2 d): u, then all du/dx_i, then all d2u/dx_i^2.

    What a physics-informed loss needs is so part of the network's output. The derivatives are nested reverse mode of
    ``torch.func``; ``torch.autograd.grad`` cannot be used within a stack, forward mode not in an activation slot.

    Args:
        field: from points, shape (batch, d), to (batch, 1); each output depends on its own point alone.
    """

    def __init__(self, field: nn.Module) -> None:
        super().__init__()
        self.field = field

    def forward(self, x: Tensor) -> Tensor:
        """u, du/dx_i and d2u/dx_i^2 at points ``x``, shape (batch, 1 + 2 d)."""
        seconds = []
        for axis in range(x.shape[1]):
            second, (first, value) = torch.func.grad(self._slope, has_aux=True)(x, axis)
            seconds.append(second[:, axis : axis + 1])
        return torch.cat([value, first, *seconds], dim=1)

    def _slope(self, x: Tensor, axis: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The sum of du/dx_axis over the batch; the gradient and u beside it."""
        first, value = torch.func.grad(self._value, has_aux=True)(x)
        return first[:, axis].sum(), (first, value)

    def _value(self, x: Tensor) -> tuple[Tensor, Tensor]:
        value = self.field(x)
        return value.sum(), value
