"""Coordinate networks: a point in, the value of a field there out, and its derivatives where an equation needs them."""

from __future__ import annotations

from collections.abc import Sequence

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
    """A scalar field u with its derivatives: u, then all du/dx_i, then d2u/dx_i^2, of all i or of those in ``second``.

    What a physics-informed loss needs is so part of the network's output. The derivatives are nested reverse mode of
    ``torch.func``; ``torch.autograd.grad`` cannot be used within a stack, forward mode not in an activation slot.

    Args:
        field: from points, shape (batch, d), to (batch, 1); each output depends on its own point alone.
        second: coordinates by which second derivatives are taken, at least one; all by default.
    """

    def __init__(self, field: nn.Module, second: Sequence[int] | None = None) -> None:
        super().__init__()
        self.field, self.second = field, second

    def forward(self, x: Tensor) -> Tensor:
        """u, du/dx_i and d2u/dx_i^2 at points ``x``, shape (batch, 1 + d + second derivatives)."""
        first, pulled, value = torch.func.vjp(  # type: ignore[misc]  # torch's stub knows no has_aux
            torch.func.grad(self._value, has_aux=True), x, has_aux=True
        )
        axes = range(x.shape[1]) if self.second is None else self.second
        along = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        seconds = [pulled(along[axis].expand_as(x))[0][:, axis : axis + 1] for axis in axes]
        return torch.cat([value, first, *seconds], dim=1)

    def _value(self, x: Tensor) -> tuple[Tensor, Tensor]:
        value = self.field(x)
        return value.sum(), value
