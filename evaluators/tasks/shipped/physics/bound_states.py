"""Ground states of a particle in one dimension, with an energy that is trained beside the network."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.networks import CoordinateNetwork, WithDerivatives
from evaluators.tasks.base import Part
from evaluators.tasks.shipped.physics.errors import relative_error
from evaluators.tasks.shipped.physics.potential import StepPotential
from evaluators.tasks.shipped.physics.quadrature import Array, panels
from evaluators.tasks.shipped.sized import SizedTask

#: Unit of the trained energy, and where it begins. Adam moves it by 20 times the rate a step: by 10 times the rate,
#: the barrier's energy is not reached within 1000 steps at .003.
ENERGY, BEGUN = 20.0, 0.25
RESIDUAL = 10.0  # unit of what is left of the equation
TRAIN, JUDGED = 32, 128  # nodes of each of two panels


class TrialState(nn.Module):
    """An even function of s that is 0 at 1: (1 - s^2) (a(s) + max(s - step, 0)^2 b(s)), a and b by a network of s^2.

    The second term gives psi'' the jump that it has at a step of the potential, which a smooth a has not.

    Args:
        field: from points, shape (batch, 1), to (batch, 2).
        step: where the potential jumps.
        jump: what b is multiplied with.
    """

    def __init__(self, field: nn.Module, step: float, jump: float) -> None:
        super().__init__()
        self.field, self.step, self.jump = field, step, jump

    def forward(self, s: Tensor) -> Tensor:
        """psi at points ``s`` of [0, 1], shape (batch, 1)."""
        both = self.field(2 * s.square() - 1)
        curved = self.jump * (s - self.step).clamp(min=0.0).square()
        psi: Tensor = (1 - s.square()) * (both[:, :1] + curved * both[:, 1:])
        return psi


class BoundState(nn.Module):
    """A trial state and its trained energy.

    Args:
        trial: from points, shape (batch, 1), to psi there.
    """

    def __init__(self, trial: nn.Module) -> None:
        super().__init__()
        self.psi = WithDerivatives(trial)
        self.energy = nn.Parameter(torch.full((1,), BEGUN))

    def forward(self, nodes: Tensor) -> Tensor:
        """psi, psi'', psi's mean square over the batch and the energy, shape (batch, 4); a batch has all nodes.

        Args:
            nodes: points of [0, 1] and the weights of their quadrature, shape (batch, 2).
        """
        psi, _, second = self.psi(nodes[:, :1]).split(1, dim=1)
        norm = (nodes[:, 1:] * psi.square()).sum().expand_as(psi)
        return torch.cat([psi, second, norm, (ENERGY * self.energy).expand_as(psi)], dim=1)


class BoundStateTask(SizedTask):
    """The ground state of -psi'' + V psi = E psi in a box with a step of the potential; E is trained with the network.

    Lengths are in units of half the box, s = x / wall, energies as :class:`StepPotential` has them. The loss is the
    integral of the squared residual over s by Gauss-Legendre quadrature, in units of 10^2, and the square of how far
    psi's mean square is from 1, by the same quadrature. Judged is the relative L2 error of psi, up to its sign, on
    nodes of a finer rule. E begins at 5, below all these ground states but that of the finite well: from above, a
    training may end in an excited state.

    After the problems of the quantum wells of arXiv:2504.05367, whose widths, potentials and networks are not known
    here: these are our own.

    Attributes:
        potentials: that of confirmation has another depth or width.
    """

    potentials: ClassVar[dict[Part, StepPotential]]

    learning_rates = (3e-3, 1e-2)
    batch_size = 2 * TRAIN
    schedule = "cosine"
    steps = 1000
    loss_floor = 1e-6
    usual = (2, 32)

    def network(self) -> nn.Module:
        potential = self.potentials["search"]
        field = CoordinateNetwork(1, self.width, self.depth, 2)
        jump = potential.wall**2 * abs(potential.outer - potential.inner) / 2
        return BoundState(TrialState(field, potential.step / potential.wall, jump))

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _collocated(self.potentials[part], TRAIN)

    def held_out(self, part: Part) -> tuple[Tensor, Tensor]:
        return _collocated(self.potentials[part], JUDGED)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        psi, second, norm, energy = output.unbind(dim=1)
        kinetic, potential, weight, _, _ = target.unbind(dim=1)
        left = (potential - energy) * psi - kinetic * second
        return weight * (left / RESIDUAL).square() + (norm - 1).square()

    def metric(self, output: Tensor, target: Tensor) -> Tensor:
        """The relative L2 error of psi up to its sign."""
        psi, weight, exact = output[:, 0], target[:, 2], target[:, 3]
        return relative_error(psi * (weight * psi * exact).sum().sign(), exact, weight)

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        return {"energy error": (output[:, 3] - target[:, 4]).abs()}


def _collocated(potential: StepPotential, nodes: int) -> tuple[Tensor, Tensor]:
    """Nodes with weights; of each 1/wall^2, V, its weight times the number of nodes, psi and E, shape (nodes, 5)."""
    points, weights = panels((0.0, potential.step / potential.wall, 1.0), nodes)
    x = points * potential.wall
    columns = (
        np.full_like(x, potential.wall**-2), potential(x), weights * len(x), potential.state(x),
        np.full_like(x, potential.energy()),
    )  # fmt: skip
    return _tensor(points, weights), _tensor(*columns)


def _tensor(*columns: Array) -> Tensor:
    return torch.tensor(np.stack(columns, axis=1), dtype=torch.float32, device="cpu")


class InfiniteWell(BoundStateTask):
    """A box of width 1, in confirmation 1.2, without a step: E = pi^2 / width^2."""

    title = "pinn-infinite-well"
    potentials: ClassVar[dict[Part, StepPotential]] = {
        "search": StepPotential(0.0, 0.0, 0.25, 0.5),
        "confirmation": StepPotential(0.0, 0.0, 0.3, 0.6),
    }


class FiniteWell(BoundStateTask):
    """A well of width 1 and depth 20, in confirmation 30, in a box of width 2.5.

    Without the box k tan(k / 2) = sqrt(V - k^2), E = k^2; its walls lift E from 4.58998 to 4.60325.
    """

    title = "pinn-finite-well"
    potentials: ClassVar[dict[Part, StepPotential]] = {
        "search": StepPotential(0.0, 20.0, 0.5, 1.25),
        "confirmation": StepPotential(0.0, 30.0, 0.5, 1.25),
    }


class Barrier(BoundStateTask):
    """A barrier of width .2 and height 20, in confirmation 30, in the middle of a box of width 1."""

    title = "pinn-barrier"
    potentials: ClassVar[dict[Part, StepPotential]] = {
        "search": StepPotential(20.0, 0.0, 0.1, 0.5),
        "confirmation": StepPotential(30.0, 0.0, 0.1, 0.5),
    }
