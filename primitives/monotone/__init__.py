"""Monotone functions: proofs on the graph, pairs of points that refute, and the activations that are made of them."""

from primitives.monotone.activations import MonotoneActivations, monotone_activations
from primitives.monotone.proof import WANTED, Direction, Monotonicity, is_proved, monotonicity
from primitives.monotone.refutation import Pair

__all__ = [
    "WANTED",
    "Direction",
    "MonotoneActivations",
    "Monotonicity",
    "Pair",
    "is_proved",
    "monotone_activations",
    "monotonicity",
]
