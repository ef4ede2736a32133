"""Adam in one pass over memory, for tensors with a rate for each row."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from evaluators.native.library import library
from evaluators.native.shares import MOST_THREADS
from evaluators.tasks.optimisers import Adam, AdamW

_TYPES = (torch.float32, torch.float64)
#: Tensor, gradient, first and second moment, and rates.
_EACH = 5


class _Numbers(ctypes.Structure):
    """``Adam`` of ``engine.c``."""

    _fields_ = [
        *((name, ctypes.c_double) for name in ("beta1", "beta2", "epsilon", "decay", "scale")),
        ("decoupled", ctypes.c_int32),
    ]


def engine_for(tensors: Sequence[Tensor], others: Sequence[Sequence[Tensor]]) -> ctypes.CDLL | None:
    """The library that takes a step of some tensors, or None where torch does.

    Args:
        tensors: the parameters.
        others: gradients, moments, rates; each one for each parameter.
    """
    dtype = tensors[0].dtype if tensors else None
    fit = all(
        each.dtype == dtype and each.device.type == "cpu" and each.is_contiguous()
        for each in (*tensors, *(each for row in others for each in row))
    )
    if not fit or dtype not in _TYPES or torch.get_num_threads() > MOST_THREADS:
        return None
    return library(dtype == torch.float64)


def adam_step(
    engine: ctypes.CDLL, settings: Adam, step: int, factor: float, decays: Sequence[float], *rows: Sequence[Tensor]
) -> None:
    """A step of all tensors, in place, as :class:`evaluators.training.optimiser.StackedAdam` takes it.

    Args:
        engine: the library of their type.
        settings: betas, epsilon, and whether the decay stays out of the moments.
        step: its number, from 1 on.
        factor: of the rates.
        decays: weight decay, for each tensor.
        rows: tensors, gradients, first moments, second moments, and rates, one for each row of each tensor; all
            contiguous.
    """
    beta1, beta2 = settings.betas
    correction1, root = 1 - beta1**step, math.sqrt(1 - beta2**step)
    decoupled = isinstance(settings, AdamW)
    numbers = [
        _Numbers(
            beta1, beta2, settings.eps * root, factor * each if decoupled else each, factor * root / -correction1,
            decoupled,
        )
        for each in decays
    ]  # fmt: skip
    count = len(decays)
    shapes = [size for tensor, rates in zip(rows[0], rows[-1], strict=True) for size in _shape(tensor, rates)]
    pointers = [tensor.data_ptr() for of_one in zip(*rows, strict=True) for tensor in of_one]
    engine.adam(
        ctypes.c_int32(count),
        (_Numbers * count)(*numbers),
        (ctypes.c_int64 * (2 * count))(*shapes),
        (ctypes.c_void_p * (_EACH * count))(*pointers),
    )


def _shape(tensor: Tensor, rates: Tensor) -> tuple[int, int]:
    """Rows, and elements of one."""
    rows = len(rates)
    return rows, tensor.numel() // rows if rows else 0
