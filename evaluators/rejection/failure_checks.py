"""Which candidates have failed at a rung, whatever the rule."""

from __future__ import annotations

import numpy as np

from evaluators.results.reasons import Reason
from evaluators.training.member import Array, best_rate

STUCK = 0.98  # of the chance loss: has learnt nothing
LEARNT = 0.90  # of the chance loss: the reference has learnt enough for a comparison
FAR_BELOW = 3.0  # times the reference's loss, see evaluation.md's staged funnel


def failure(losses: Array, reference: Array, chance: float | None) -> Reason | None:
    """Why a candidate has failed at a rung, or None.

    Args:
        losses: the candidate's losses, seeds x learning rates.
        reference: the reference's losses on the same seeds and rates.
        chance: loss of a network that has learnt nothing, or None.

    Returns:
        ``DIVERGED`` if no learning rate is finite on every seed, ``STUCK``, ``FAR_BELOW``, or None. At its best
        learning rate the candidate is compared with the reference at its best.
    """
    loss = float(losses.mean(axis=0)[best_rate(losses)])
    best = float(reference.mean(axis=0)[best_rate(reference)])
    if not np.isfinite(loss):
        return Reason.DIVERGED
    if not np.isfinite(best):
        return None
    if chance is not None and loss >= STUCK * chance and best <= LEARNT * chance:
        return Reason.STUCK
    return Reason.FAR_BELOW if loss > FAR_BELOW * best else None
