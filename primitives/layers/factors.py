"""How the two inputs of a gate come to it, where the place hands them over in another form."""

from __future__ import annotations

from torch import Tensor, nn


class Swapped(nn.Module):
    """A gate in a product whose second factor is the gate's first input.

    Args:
        module: called with x and z.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        """The gate of x and z."""
        value: Tensor = self.module(x, z)
        return value


class Halved(nn.Module):
    """A gate of the halves of one tensor, in the place of ``nn.GLU``: x is the second one, as in the sigmoid there.

    Args:
        module: called with x and z.
        dim: that is halved.
    """

    def __init__(self, module: nn.Module, dim: int = -1) -> None:
        super().__init__()
        self.module, self.dim = module, dim

    def forward(self, both: Tensor) -> Tensor:
        """The gate of the halves, half as long in ``dim``."""
        z, x = both.chunk(2, dim=self.dim)
        value: Tensor = self.module(x, z)
        return value
