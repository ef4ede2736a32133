"""The correlation map of a layer: how alike two inputs are behind it, by how alike they were before it.

C(c) = E[f(u) f(v)] / E f(z)^2 for standard normals u and v of correlation c, weights that keep a variance of 1, and no
biases (Poole et al. 2016, arXiv:1606.05340). C(1) = 1; of a linear function C(c) = c. The map is that of the values: a
derivative of its own, as ``paired(f, g)`` has, does not count.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from evaluators.objectives.formula.base import UNBOUNDED, PointwiseObjective
from primitives.analysis import Analysis, Gaussian, analyse
from primitives.equivalence.kinds import plainest
from primitives.expression.expression import Expression
from primitives.operators.formulas import valued

DIGITS = 12  # of C(0); of an odd function sums over the grid leave 1e-34


class _OfMap(PointwiseObjective):
    """A number of the map, of ``layers(...)`` the largest of its functions'.

    It is ``worst`` without a positive finite E f(z)^2, where there is no map.
    """

    direction = "minimize"
    worst = UNBOUNDED

    @staticmethod
    def together(numbers: Sequence[float]) -> float:
        return max(numbers)

    def of_one(self, function: Expression) -> float:
        found = analyse(valued(plainest(function)))
        return self.worst if found.gaussian is None else min(self.of_map(found, found.gaussian), self.worst)

    @abstractmethod
    def of_map(self, found: Analysis, known: Gaussian) -> float:
        """The number from what is known of the function."""


class MapAtZero(_OfMap):
    """C(0) = (E f(z))^2 / E f(z)^2: how alike unrelated inputs become in one layer, from 0 to 1."""

    name = "c_zero"
    unit = "correlation"
    formula = "C(0) = (E f(z))^2 / E f(z)^2"
    source = "Martens et al. 2021, arXiv:2110.01765, who ask for 0"
    worst = 1.0

    def of_map(self, found: Analysis, known: Gaussian) -> float:
        return round(known.mean_share, DIGITS)


class MapSlope(_OfMap):
    """C'(1) = E f'(z)^2 / E f(z)^2: by how much a layer parts inputs that are nearly the same.

    With C(0) = 0 it is at least 1, and 1 for linear functions alone. It is chi, not its logarithm. Functions that jump
    have no bound: 1e6.
    """

    name = "c_slope"
    unit = "slope"
    formula = "C'(1) = E f'(z)^2 / E f(z)^2, at most 1e6, as for jumps"
    source = "Martens et al. 2021, arXiv:2110.01765, who bound it over the whole network"

    def of_map(self, found: Analysis, known: Gaussian) -> float:
        jumps = found.shape is None or found.shape.smoothness == "discont"
        return UNBOUNDED if jumps or known.chi is None else known.chi


class MapCurvature(_OfMap):
    """C''(1) = E f''(z)^2 / E f(z)^2: how fast the slope falls beside 1. Functions with kinks have no bound: 1e6."""

    name = "c_curvature"
    unit = "curvature"
    formula = "C''(1) = E f''(z)^2 / E f(z)^2, at most 1e6, as for kinks"
    source = "Zhang et al. 2022, arXiv:2203.08120, who make it 0.3 over the whole network"

    def of_map(self, found: Analysis, known: Gaussian) -> float:
        return UNBOUNDED if known.bend is None else known.bend
