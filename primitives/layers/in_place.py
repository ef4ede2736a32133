"""A layer that writes its result into its input, as ``nn.ReLU(inplace=True)`` does."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class InPlace(nn.Module):
    """A module whose result overwrites its input: who else reads the input, such as a skip connection, sees it.

    With a gradient the module works on a copy, since the gradient needs what is overwritten. An input that is a leaf
    with a gradient is refused by torch, as it is for ``nn.ReLU(inplace=True)``.

    Args:
        module: returns a tensor of its input's shape.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        value: Tensor = self.module(x.clone() if torch.is_grad_enabled() else x)
        return x.copy_(value)


def works_in_place(module: nn.Module) -> bool:
    """True for a module that was made with ``inplace=True``, and for :class:`InPlace`."""
    return isinstance(module, InPlace) or getattr(module, "inplace", False) is True
