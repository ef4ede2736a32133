"""Gauss-Legendre quadrature: nodes to collocate at, and the weights by which values there are integrated."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def panels(edges: Sequence[float], nodes: int) -> tuple[Array, Array]:
    """Nodes and weights of the rule of ``nodes`` points in each panel between neighbouring edges.

    A mean over a uniform grid in its place has an error of 1/n in the normalisation of a wave function, which no
    network gets below. Where a function has a kink, an edge belongs.

    Args:
        edges: increasing, at least two.
        nodes: of each panel; polynomials up to degree 2 nodes - 1 are integrated exactly.

    Returns:
        Nodes, increasing, and weights, whose sum is the last edge less the first; shape (panels x nodes,).
    """
    points, shares = np.polynomial.legendre.leggauss(nodes)
    halves = [(stop - start) / 2 for start, stop in pairwise(edges)]
    middles = [(stop + start) / 2 for start, stop in pairwise(edges)]
    rules = list(zip(middles, halves, strict=True))
    return (
        np.concatenate([middle + half * points for middle, half in rules]),
        np.concatenate([half * shares for _, half in rules]),
    )
