"""Formulas that are fitted by networks with activations on edges: a toy of KAN's authors and two of Feynman's."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from evaluators.networks import kan
from evaluators.seeds import torch_generator
from evaluators.tasks.base import Part
from evaluators.tasks.readings import r_squared
from evaluators.tasks.shipped.sized import SizedTask

POINTS = 1_000  # that train, and as many that are judged, as Liu et al. 2024 have them


@dataclass(frozen=True, slots=True)
class Formula:
    """A function of some numbers.

    Args:
        ranges: of the numbers, which are uniform there.
        of: from numbers, shape (inputs, points), to values, shape (points,).
    """

    ranges: tuple[tuple[float, float], ...]
    of: Callable[[Tensor], Tensor]


#: The first is of Liu et al. 2024 (arXiv:2404.19756), the others are I.6.2a and I.10.7 of Udrescu and Tegmark 2020.
FORMULAS = {
    "exp-sin": Formula(((-1.0, 1.0),) * 2, lambda x: torch.exp(torch.sin(math.pi * x[0]) + x[1] ** 2)),
    "gaussian": Formula(((-3.0, 3.0),), lambda x: torch.exp(-(x[0] ** 2) / 2) / math.sqrt(2 * math.pi)),
    "relativistic-mass": Formula(
        ((0.0, 1.0), (0.0, 1.0), (1.0, 2.0)), lambda x: x[0] / torch.sqrt(1 - x[1] ** 2 / x[2] ** 2)
    ),
}


class FormulaFit(SizedTask):
    """A formula with a Kolmogorov-Arnold network: each edge applies the candidate, nodes add.

    A parameter ``:channel`` of a candidate is one of each edge. Inputs and targets are in units of their standard
    deviation, the loss is the squared error, so that of the mean is 1. Other points are judged than those that train.
    """

    usual = (3, 5)
    chance = 1.0
    batch_size = 64
    learning_rates = (3e-3, 1e-2, 3e-2)
    steps = 400
    loss_floor = 1e-6

    def __init__(self, formula: str, depth: int | None = None, width: int | None = None) -> None:
        self.formula, self.title = formula, f"kan-{formula}"
        super().__init__(depth, width)

    def resized(self, depth: int, width: int) -> FormulaFit:
        return FormulaFit(self.formula, depth, width)

    def network(self) -> nn.Module:
        return kan(len(FORMULAS[self.formula].ranges), self.width, self.depth, 1)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _points(self.formula, part, "training")

    def held_out(self, part: Part) -> tuple[Tensor, Tensor]:
        return _points(self.formula, part, "judged")

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square()[:, 0]

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"R2": r_squared(output, target)}


@cache
def _points(formula: str, part: Part, use: str) -> tuple[Tensor, Tensor]:
    """Points, shape (points, inputs), and values, shape (points, 1), scaled by numbers of the search's training set."""
    x, y = _drawn(formula, part, use)
    base, values = _drawn(formula, "search", "training")
    x, y = (x - base.mean(dim=1, keepdim=True)) / base.std(dim=1, keepdim=True), (y - values.mean()) / values.std()
    return x.T.float().contiguous(), y.float()[:, None]


def _drawn(formula: str, *purpose: str) -> tuple[Tensor, Tensor]:
    """Points, shape (inputs, points), and values, shape (points,), float64."""
    low, high = torch.tensor(FORMULAS[formula].ranges, dtype=torch.float64, device="cpu").T[..., None]
    generator = torch_generator(0, "formula", formula, *purpose)
    share = torch.rand(len(low), POINTS, generator=generator, dtype=torch.float64, device="cpu")
    x = low + (high - low) * share
    return x, FORMULAS[formula].of(x)
