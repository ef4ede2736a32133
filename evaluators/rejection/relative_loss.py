"""Relative loss: how a candidate's losses at a rung compare with the reference's."""

from __future__ import annotations

import math

import numpy as np

from evaluators.training.member import Array, best_rate


def relative_loss(losses: Array, reference: Array) -> float:
    """Mean over the seeds of log(loss / loss of the reference), each at its best learning rate here; small is good.

    At the end it is the gain's negative. Infinite if the candidate's losses are not finite; 0 for everyone, so that
    nobody is rejected, if the reference's are not.

    Args:
        losses: seeds x learning rates, above 0.
        reference: the reference's on the same seeds and rates.
    """
    chosen, other = losses[:, best_rate(losses)], reference[:, best_rate(reference)]
    if not np.isfinite(other).all():
        return 0.0
    return float(np.mean(np.log(chosen / other))) if np.isfinite(chosen).all() else math.inf
