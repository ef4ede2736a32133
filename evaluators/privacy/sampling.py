"""Poisson sampling: each training example is in a batch with the same probability, whoever else is."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from evaluators.seeds import torch_generator

EMPTY = -1  # in a table of batches: a place without an example
DEVIATIONS = 8  # more examples than so many above the expected number find no place: below 1e-9 a step


def poisson_batches(train: Tensor, steps: int, sampling: float, seed: int, multiple: int) -> Tensor:
    """Indices of every batch, its examples first, then :data:`EMPTY`.

    Args:
        train: indices of the training examples, on the CPU.
        steps: batches.
        sampling: the probability of each example.
        seed: of the model.
        multiple: that the number of places is.

    Returns:
        Shape (steps, places).
    """
    generator = torch_generator(seed, "order")
    table = train.new_full((steps, _places(len(train), sampling, multiple)), EMPTY)
    for row in table:
        taken = train[torch.rand(len(train), generator=generator, device="cpu") < sampling][: len(row)]
        row[: len(taken)] = taken
    return table


def _places(examples: int, sampling: float, multiple: int) -> int:
    mean = sampling * examples
    most = min(examples, mean + DEVIATIONS * math.sqrt(mean))
    return math.ceil(most / multiple) * multiple
