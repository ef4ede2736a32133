"""Relative loss: how a candidate's losses at a rung compare with ReLU's."""

from __future__ import annotations

import math

import numpy as np

from evaluators.training.member import Array, best_rate


def relative_loss(losses: Array, relu: Array) -> float:
    """Mean over the seeds of log(loss / loss of ReLU), each at its best learning rate here; small is good.

    At the end it is the gain's negative. Infinite if the candidate's losses are not finite; 0 for everyone, so that
    nobody is rejected, if ReLU's are not.

    Args:
        losses: seeds x learning rates, above 0.
        relu: ReLU's on the same seeds and rates.
    """
    chosen, reference = losses[:, best_rate(losses)], relu[:, best_rate(relu)]
    if not np.isfinite(reference).all():
        return 0.0
    return float(np.mean(np.log(chosen / reference))) if np.isfinite(chosen).all() else math.inf
