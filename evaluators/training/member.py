"""Plain data of a training: the members, the schedule and the outcome."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from evaluators.results.reasons import Reason
from primitives.expression.expression import Expression

Array = NDArray[np.float64]

FEWEST_RATES = 3  # of which one may be dropped; of two, the better one early is the better one late too rarely


@dataclass(frozen=True, slots=True)
class CohortMember:
    """One function to train, once for each seed and learning rate; or the network as it stands.

    Args:
        expression: the function as the user wrote it; the activation slot applies it with the scale that the task has.
            None for the network as it stands: whatever is in each place stays there, parameters and all, and nothing
            is scaled.
        seeds: seeds of initial weights and data order, and of the split where the task has none for all.
        protected: a control; never rejected.
        exempt: trained to the end whatever its losses are; rejected as a failure only.
        rates: indices of the learning rates that it is trained at; empty: all.
    """

    expression: Expression | None
    seeds: tuple[int, ...]
    protected: bool = False
    exempt: bool = False
    rates: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train.

    Args:
        steps: the full budget in optimiser steps.
        rungs: steps, increasing and below ``steps``, at which failures are rejected.
        rates: the learning rates, all tried for every seed.
        drop_worst: at the first rung each member loses its worst learning rate, where there are three or more.
    """

    steps: int
    rungs: tuple[int, ...]
    rates: tuple[float, ...]
    drop_worst: bool = False

    @property
    def rung_steps(self) -> tuple[int, ...]:
        """The steps of all rungs: those at which candidates may be rejected before the end, and the end."""
        return (*self.rungs, self.steps)

    @property
    def drop_step(self) -> int | None:
        """The rung at which learning rates are dropped, if any."""
        return self.rungs[0] if self.drop_worst and self.rungs and len(self.rates) >= FEWEST_RATES else None

    @property
    def work(self) -> tuple[int, ...]:
        """Steps that the models of one seed take from rung to rung, all learning rates together."""
        spans, rates = [b - a for a, b in pairwise((0, *self.rung_steps))], len(self.rates)
        later = rates if self.drop_step is None else rates - 1
        return tuple(steps * (rates if number == 0 else later) for number, steps in enumerate(spans))


@dataclass(slots=True)
class Outcome:
    """What one member did.

    Args:
        losses: by step of each rung reached, the mean validation loss, seeds x learning rates; NaN where a rate was
            dropped.
        tests: the mean test loss at the end, seeds x learning rates; only in confirmation.
        reason: why it was rejected or failed, or None.
        error: the traceback of what was raised, or "".
        measured: objectives taken from the trained models at the end, by name; only those that were asked for.
        readings: by name, at the end, seeds x learning rates, on the test examples in confirmation; see
            :meth:`evaluators.tasks.base.Task.readings`.
    """

    losses: dict[int, list[list[float]]] = field(default_factory=dict)
    tests: list[list[float]] | None = None
    reason: Reason | None = None
    error: str = ""
    measured: dict[str, float] = field(default_factory=dict)
    readings: dict[str, list[list[float]]] = field(default_factory=dict)

    def at(self, step: int) -> Array:
        """Losses at a rung, seeds x learning rates, float64."""
        return np.array(self.losses[step], dtype=np.float64)


def best_rate(costs: Array) -> int:
    """Index of the learning rate with the smallest mean cost over the seeds; a non-finite mean counts as infinite."""
    return int(np.argmin(_means(costs)))


def better_rates(costs: Array) -> tuple[int, ...]:
    """Indices of all learning rates but the worst, by the mean cost over the seeds."""
    worst = int(np.argmax(_means(costs)))
    return tuple(rate for rate in range(costs.shape[1]) if rate != worst)


def _means(costs: Array) -> Array:
    means = costs.mean(axis=0)
    return np.where(np.isfinite(means), means, math.inf)
