"""Relative loss: how a candidate's losses at a rung compare with the reference's."""

from __future__ import annotations

import math

import numpy as np

from evaluators.comparison import NATS, Comparison
from evaluators.training.member import Array, best_rate


def relative_loss(losses: Array, reference: Array, comparison: Comparison = NATS) -> float:
    """Mean over the seeds of log(loss / loss of the reference), each at its best learning rate here; small is good.

    For a task that compares by difference, by how much the candidate is worse, in the gain's unit.

    At the end it is the gain's negative. Infinite if the candidate's losses are not finite; 0 for everyone, so that
    nobody is rejected, if the reference's are not.

    Args:
        losses: seeds x learning rates, as :meth:`Comparison.counted` gives them.
        reference: the reference's on the same seeds and rates.
        comparison: the task's.
    """
    chosen, other = (table[:, best_rate(comparison.costs(table))] for table in (losses, reference))
    if not np.isfinite(other).all():
        return 0.0
    return float(np.mean(comparison.excess(chosen, other))) if np.isfinite(chosen).all() else math.inf
