"""Expectations under the standard normal.

They are sums over the middles of 20,000 cells of [-10, 10] in float64. A jump at a multiple of 1/1000, such as ReLU's
slope at 0, lies between two points and costs no accuracy; elsewhere it costs up to 2e-4 of its height. Gauss-Hermite
quadrature is wrong by up to 25 % there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor

from primitives.analysis.sampling import sample
from primitives.equivalence.kinds import pointwise_form
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import compiled
from primitives.expression.expression import Expression
from primitives.operators.axes import usual_axes

CELLS = 20_000
DEGREES = 9  # Hermite polynomials of degree 0 to 8
LARGEST = torch.finfo(torch.float32).max


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of f(z), z standard normal, at the initial parameters.

    Args:
        mean: E f(z).
        second: E f(z)^2.
        slope: E f'(z)^2.
    """

    mean: float
    second: float
    slope: float

    @property
    def chi(self) -> float:
        """E f'^2 / E f^2, the factor by which a layer scales gradients (Schoenholz et al. 2017); 1 is critical."""
        return self.slope / self.second if self.second > 0 else math.nan


@cache
def normal_grid(cells: int = CELLS) -> tuple[Tensor, Tensor]:
    """The points, symmetric about 0, and their probabilities."""
    edge = 10.0 - 10.0 / cells
    z = torch.linspace(-edge, edge, cells, dtype=torch.float64)
    weights = torch.exp(-0.5 * z * z)
    return z, weights / weights.sum()


@lru_cache(maxsize=4096)
def moments(expression: Expression, cells: int = CELLS) -> Moments:
    """Gaussian moments of an expression at its initial parameters, from an even number of cells.

    Raises:
        ExpressionError: it is no function of one number.
    """
    expression = pointwise_form(expression, "moments")
    z, weights = normal_grid(cells)
    f, slope = sample((expression, derivative(expression)), z)
    return Moments(
        mean=float((weights * f).sum()),
        second=float((weights * f * f).sum()),
        slope=float((weights * slope * slope).sum()),
    )


def unit_factor(second: float) -> float:
    """1 / sqrt(E f^2) of a second moment: times it f has a second moment of 1; 1 where float32 has no such number."""
    return 1.0 / math.sqrt(second) if LARGEST**-2 <= second < math.inf else 1.0


def output_factor(expression: Expression) -> float:
    """1 / sqrt(E f(z)^2) at the initial parameters; 1 where that is no positive number that float32 holds.

    For layers with statistics and gates the mean square of outputs at fixed normals stands for the expectation.
    """
    return unit_factor(moments(expression).second if expression.is_pointwise else _mean_square(expression))


@lru_cache(maxsize=1024)
def _mean_square(expression: Expression) -> float:
    x, z = _normals()
    values = expression.initial_values | {"z": z}
    return float(compiled((expression,), usual_axes(x.dim())).run(x, values)[0].square().mean())


@cache
def _normals() -> tuple[Tensor, Tensor]:
    """Two independent inputs of 32 examples, 16 channels and 8 x 8 positions, float64."""
    draw, shape = np.random.Generator(np.random.PCG64(0)).standard_normal, (32, 16, 8, 8)
    return torch.from_numpy(draw(shape)), torch.from_numpy(draw(shape))


def expectation(values: Tensor) -> float | None:
    """E v(z) from the values on the grid, or None where the grid cannot give it.

    It cannot where v is not finite, where cells three times as wide change the sum of |v| by more than 1 % (a pole,
    or a peak narrower than the cells), and where more than 1e-9 of that sum lies at |z| > 9.5 (v grows like
    exp(z^2 / 2)).
    """
    parts = values * normal_grid()[1]
    sizes = parts.abs()
    total = float(sizes.sum())
    coarse = 3.0 * float(sizes[2::3].sum())  # the middles of the wider cells; 0 is the edge of one of them, too
    rim = float(sizes[:500].sum() + sizes[-500:].sum())
    if not math.isfinite(total) or abs(coarse - total) > 0.01 * total or rim > 1e-9 * total:
        return None
    return float(parts.sum())


@cache
def _hermite_weights() -> Tensor:
    """He_k(z) / sqrt(k!) times the probabilities, one row for each degree k."""
    z, weights = normal_grid()
    rows = [torch.ones_like(z), z]
    for k in range(1, DEGREES - 1):
        rows.append((z * rows[k] - math.sqrt(k) * rows[k - 1]) / math.sqrt(k + 1))
    return torch.stack(rows) * weights


def hermite_coefficients(values: Tensor) -> tuple[float, ...]:
    """a_k = E[f(z) He_k(z)] / sqrt(k!) for k = 0 to 8, from the values on the grid.

    E[f(u) f(v)] = sum_k a_k^2 c^k for standard normals u and v of correlation c (Mehler's formula).
    """
    return tuple((_hermite_weights() @ values).tolist())
