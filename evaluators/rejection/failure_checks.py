"""Which candidates have failed at a rung, whatever the rule."""

from __future__ import annotations

import numpy as np

from evaluators.comparison import NATS, Comparison
from evaluators.results.reasons import Reason
from evaluators.training.member import Array, best_rate

STUCK = 0.98  # of the chance loss: has learnt nothing
LEARNT = 0.90  # of the chance loss: the reference has learnt enough for a comparison
FAR_BELOW = 3.0  # times the reference's loss, see evaluation.md's staged funnel


def failure(
    losses: Array, reference: Array, chance: float | None, comparison: Comparison = NATS
) -> Reason | None:  # fmt: skip
    """Why a candidate has failed at a rung, or None.

    Args:
        losses: the candidate's losses, seeds x learning rates.
        reference: the reference's losses on the same seeds and rates.
        chance: loss of a network that has learnt nothing, or None.
        comparison: the task's. Of differences only ``DIVERGED`` is found: the two others are shares of a loss, and a
            difference has no such scale.

    Returns:
        ``DIVERGED`` if no learning rate is finite on every seed, ``STUCK``, ``FAR_BELOW``, or None. At its best
        learning rate the candidate is compared with the reference at its best.
    """
    loss = float(losses.mean(axis=0)[best_rate(comparison.costs(losses))])
    best = float(reference.mean(axis=0)[best_rate(comparison.costs(reference))])
    if not np.isfinite(loss):
        return Reason.DIVERGED
    if not (np.isfinite(best) and comparison.is_ratio):
        return None
    if chance is not None and loss >= STUCK * chance and best <= LEARNT * chance:
        return Reason.STUCK
    return Reason.FAR_BELOW if loss > FAR_BELOW * best else None
