"""Rungs: which candidates have failed at a mark. Nothing good is rejected here; only failures go."""

from __future__ import annotations

import numpy as np

from evaluators.member import Array, best_rate

STUCK = 0.98  # of the chance loss: has learnt nothing
LEARNT = 0.90  # of the chance loss: ReLU has learnt enough for a comparison
FAR_BELOW = 3.0  # times ReLU's loss, see evaluation.md's staged funnel


def failure(losses: Array, relu: Array, chance: float | None) -> str:
    """Reason code of a failure at a mark, or "".

    Args:
        losses: the candidate's losses, seeds x learning rates.
        relu: ReLU's losses on the same seeds and rates.
        chance: loss of a network that has learnt nothing, or None.

    Returns:
        ``"non-finite"`` if no learning rate is finite on every seed, ``"stuck-at-chance"``, ``"far-below-relu"``,
        or "". At its best learning rate the candidate is compared with ReLU at its best.
    """
    own = float(losses.mean(axis=0)[best_rate(losses)])
    reference = float(relu.mean(axis=0)[best_rate(relu)])
    if not np.isfinite(own):
        return "non-finite"
    if not np.isfinite(reference):
        return ""
    if chance is not None and own >= STUCK * chance and reference <= LEARNT * chance:
        return "stuck-at-chance"
    return "far-below-relu" if own > FAR_BELOW * reference else ""
