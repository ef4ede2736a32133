"""The default loss of a task: cross-entropy, as torch's with label smoothing and class weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from evaluators.errors import TaskError


def cross_entropy(
    logits: Tensor, labels: Tensor, *, smoothing: float, weights: Sequence[float] | None, place: str
) -> Tensor:
    """Cross-entropy of each row in nats, ``F.cross_entropy(..., reduction="none")``.

    The plain mean of weighted losses is not torch's ``reduction="mean"``, which divides by the sum of the labels'
    weights in the batch, not by their number.

    Args:
        logits: shape (rows, classes).
        labels: shape (rows,).
        smoothing: share of the probability that is spread evenly over all classes.
        weights: one for each class, or None.
        place: what the message of an error begins with.

    Returns:
        Shape (rows,).

    Raises:
        TaskError: there is not one weight for each class.
    """
    if weights is not None and len(weights) != logits.shape[-1]:
        raise TaskError(
            f"{place}: class_weights: expected one for each of {logits.shape[-1]} classes, the network's outputs, "
            f"got {len(weights)}"
        )
    if smoothing or weights is not None:
        weight = None if weights is None else logits.new_tensor(list(weights))
        return F.cross_entropy(logits, labels, weight, reduction="none", label_smoothing=smoothing)
    # torch's kernel takes whole vectors of 16: 10 classes and 6 of no probability in a quarter of the time of 10
    padded = F.pad(logits, (0, -logits.shape[-1] % 16), value=-math.inf)
    return F.cross_entropy(padded, labels, reduction="none")
