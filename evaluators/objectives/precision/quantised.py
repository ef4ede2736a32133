"""Activations of a trained network in 8 or 4 bits, after training: what its loss is then."""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from evaluators.objectives.measured import MeasuredObjective, loss_with
from evaluators.training.models import Models


class Quantised(MeasuredObjective):
    """Loss with every activation rounded to one of 2^bits evenly spaced values, 0 among them; weights stay.

    They lie between the smallest and the largest activation of the call, or two percentiles, beyond which activations
    are clipped; and 0 is always between them. Each model has its own, taken from the examples that are measured on.

    Attributes:
        bits: of an activation.
        percentile: the upper one; the lower one is as far from 0. 100: nothing is clipped.
    """

    bits: ClassVar[int]
    percentile: ClassVar[float] = 100.0
    unit = "nats"
    direction = "maximize"
    source = "affine quantisation: Jacob et al. 2018, arXiv:1712.05877"
    relative = True

    def measure(self, models: Models) -> Tensor:
        return loss_with(models, lambda _: partial(_after, self.bits, self.percentile))


class Int8(Quantised):
    """Loss with activations of 8 bits between their extremes, see :class:`Quantised`."""

    name = "int8"
    bits = 8
    formula = "log(loss of the reference / loss of the candidate), activations rounded to 256 values between extremes"


class Int8Percentile(Int8):
    """Loss with activations of 8 bits, clipped to their percentiles .1 and 99.9, see :class:`Quantised`."""

    name = "int8_percentile"
    percentile = 99.9
    formula = "log(loss of the reference / loss of the candidate), activations clipped to percentiles, 256 values"


class Int4(Quantised):
    """Loss with activations of 4 bits between their extremes, see :class:`Quantised`."""

    name = "int4"
    bits = 4
    formula = "log(loss of the reference / loss of the candidate), activations rounded to 16 values between extremes"


class Int4Percentile(Int4):
    """Loss with activations of 4 bits, clipped to their percentiles .1 and 99.9, see :class:`Quantised`."""

    name = "int4_percentile"
    percentile = 99.9
    formula = "log(loss of the reference / loss of the candidate), activations clipped to percentiles, 16 values"


def quantised(values: Tensor, bits: int, percentile: float = 100.0) -> Tensor:
    """Values rounded to 2^bits evenly spaced ones from their smallest to their largest, 0 among them.

    Args:
        values: shape (models, ...); each model has a range of its own.
        bits: of a value.
        percentile: the range ends there, and at 100 less it; values beyond are clipped.

    Returns:
        Of the shape and dtype of ``values``; NaN where these are.
    """
    flat, largest = values.flatten(1), 2**bits - 1
    rank = math.ceil(percentile / 100.0 * flat.shape[1])
    low = flat.kthvalue(flat.shape[1] - rank + 1, dim=1, keepdim=True).values.clamp(max=0.0)
    high = flat.kthvalue(rank, dim=1, keepdim=True).values.clamp(min=0.0)
    step = ((high - low) / largest).clamp_min(torch.finfo(flat.dtype).tiny)
    zero = torch.round(-low / step)
    levels: Tensor = ((flat / step).round() + zero).clamp(0, largest) - zero
    result: Tensor = (levels * step).view(values.shape)
    return result


def _after(bits: int, percentile: float, _: Tensor, output: Tensor) -> Tensor:
    return quantised(output, bits, percentile)
