"""A residual branch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """The input plus ``scale`` times a branch, which keeps its shape."""

    def __init__(self, branch: nn.Module, scale: float = 1.0) -> None:
        super().__init__()
        self.branch = branch
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """``x`` plus the scaled branch, in the shape of ``x``."""
        return torch.add(x, self.branch(x), alpha=self.scale)
