"""How far a solution is from the exact one."""

from __future__ import annotations

from torch import Tensor


def relative_error(found: Tensor, exact: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """The relative L2 error, sqrt(sum w (u - u*)^2 / sum w u*^2), one number; the convention of Raissi et al. 2019.

    Args:
        found, exact: values at points, shape (points,).
        weight: of the points in a quadrature.
    """
    difference, scale = (found.double() - exact.double()).square(), exact.double().square()
    return ((weight * difference).sum() / (weight * scale).sum()).sqrt()
