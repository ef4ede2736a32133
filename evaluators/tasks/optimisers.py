"""Optimisers that a task may ask for, with torch.optim's names and defaults; their arithmetic is in training."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Adam:
    """``torch.optim.Adam`` (Kingma and Ba 2015): the decay is added to the gradient.

    Args:
        betas: decay of the first and second moments.
        eps: added to the root of the second moment.
        weight_decay: of every parameter of the network that is trained, biases included, as in torch. The
            candidate's own parameters are never decayed: that would pull the function to another one.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def fault(self) -> str | None:
        """The setting that means nothing, what was expected and what came; None if there is none."""
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            return f"betas: expected two numbers from 0 to below 1, got {self.betas}"
        if not 0 <= self.eps < math.inf:
            return f"eps: expected a number from 0 on, got {self.eps}"
        return _decay_fault(self.weight_decay)


@dataclass(frozen=True, slots=True)
class AdamW(Adam):
    """``torch.optim.AdamW`` (Loshchilov and Hutter 2019): weights shrink by rate times decay before the step."""

    weight_decay: float = 0.01


@dataclass(frozen=True, slots=True)
class SGD:
    """``torch.optim.SGD``, with momentum 0.9 by default, where torch has none.

    Args:
        momentum: share of the velocity that stays (Polyak 1964).
        nesterov: look ahead by one step of the velocity, in the form of Sutskever et al. 2013.
        weight_decay: as for :class:`Adam`.
    """

    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0

    def fault(self) -> str | None:
        """The setting that means nothing, what was expected and what came; None if there is none."""
        if not 0 <= self.momentum < 1:
            return f"momentum: expected a number from 0 to below 1, got {self.momentum}; the usual one is 0.9"
        if self.nesterov and self.momentum == 0:
            return "nesterov: expected a momentum above 0 with it, got 0; the usual one is 0.9"
        return _decay_fault(self.weight_decay)


Optimiser = Adam | SGD

#: By the name that a task gives.
OPTIMISERS: dict[str, Optimiser] = {"adam": Adam(), "adamw": AdamW(), "sgd": SGD()}


def optimiser_named(asked: str | Optimiser) -> Optimiser:
    """The optimiser's settings, if a name stands for them."""
    return OPTIMISERS[asked] if isinstance(asked, str) else asked


def _decay_fault(decay: float) -> str | None:
    return None if 0 <= decay < math.inf else f"weight_decay: expected a number from 0 on, got {decay}"
