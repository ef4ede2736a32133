"""A field over two coordinates that satisfies an equation: points to collocate at, and a grid that judges."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from evaluators.seeds import torch_generator
from evaluators.tasks.base import Part
from evaluators.tasks.shipped.physics.errors import relative_error
from evaluators.tasks.shipped.sized import SizedTask

TRAIN, SIDE = 1024, 32  # points to collocate at; points of a side of the grid


class Trial(nn.Module):
    """A network put into a form that satisfies boundary and initial conditions exactly, whatever the network is.

    Args:
        field: from points, shape (batch, 2), to (batch, 1).
        form: gets points and the network's values there.
    """

    def __init__(self, field: nn.Module, form: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.field, self.form = field, form

    def forward(self, points: Tensor) -> Tensor:
        """The field at points, shape (batch, 1)."""
        return self.form(points, self.field(points))


class FieldTask(SizedTask):
    """A network is trained on the squared residual of an equation at random points, and judged on the exact solution.

    Judged is the relative L2 error on a grid that no training point lies on.

    Attributes:
        low: where the coordinates begin; both end at 1.
    """

    low: ClassVar[tuple[float, float]] = (-1.0, -1.0)

    learning_rates = (3e-3, 1e-2)
    batch_size = 64
    schedule = "cosine"
    steps = 1000
    loss_floor = 1e-6

    @abstractmethod
    def told(self, part: Part, points: Tensor) -> Tensor:
        """What the residual needs at points, shape (points, 2), float64, and last the exact solution there."""

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        generator = torch_generator(0, self.title, part)
        return self._at(part, torch.rand(TRAIN, 2, generator=generator, device="cpu", dtype=torch.float64))

    def held_out(self, part: Part) -> tuple[Tensor, Tensor]:
        middles = (torch.arange(SIDE, dtype=torch.float64, device="cpu") + 0.5) / SIDE
        return self._at(part, torch.cartesian_prod(middles, middles))

    def _at(self, part: Part, shares: Tensor) -> tuple[Tensor, Tensor]:
        low = torch.tensor(self.low, dtype=torch.float64, device="cpu")
        points = low + shares * (1.0 - low)
        return points.float(), self.told(part, points).float()

    def metric(self, output: Tensor, target: Tensor) -> Tensor:
        return relative_error(output[:, 0], target[:, -1])
