"""Plain data of a training: who is trained, for how long, and what came out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from primitives.expressions import Expression

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Member:
    """One function to train, once for each seed and learning rate.

    Args:
        expression: the function as the user wrote it; the slot applies it normalised.
        seeds: seeds of initial weights, split and data order.
        protected: a control; never rejected.
        spared: trained to the end whatever it promises; rejected as a failure only.
    """

    expression: Expression
    seeds: tuple[int, ...]
    protected: bool = False
    spared: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train.

    Args:
        steps: the full budget in optimiser steps.
        rungs: steps, increasing and below ``steps``, at which failures are rejected.
        rates: the learning rates, all tried for every seed.
    """

    steps: int
    rungs: tuple[int, ...]
    rates: tuple[float, ...]

    @property
    def marks(self) -> tuple[int, ...]:
        """The steps at which losses are taken: the rungs and the end."""
        return (*self.rungs, self.steps)


@dataclass(slots=True)
class Outcome:
    """What one member did.

    Args:
        losses: at each mark reached, the mean validation loss, seeds x learning rates.
        tests: the mean test loss at the end, seeds x learning rates; only in confirmation.
        reason: why it was rejected or failed, or "".
        measured: objectives taken from the trained models at the end, by name; only those that were asked for.
    """

    losses: dict[int, list[list[float]]] = field(default_factory=dict)
    tests: list[list[float]] | None = None
    reason: str = ""
    measured: dict[str, float] = field(default_factory=dict)

    def at(self, mark: int) -> Array:
        """Losses at a mark, seeds x learning rates, float64."""
        return np.array(self.losses[mark], dtype=np.float64)


def best_rate(losses: Array) -> int:
    """Index of the learning rate with the smallest mean loss over the seeds; a non-finite mean counts as infinite."""
    means = losses.mean(axis=0)
    return int(np.argmin(np.where(np.isfinite(means), means, math.inf)))
