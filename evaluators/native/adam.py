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
    fit = all(each.dtype == dtype and each.device.type == "cpu" for row in (tensors, *others) for each in row)
    if not fit or dtype not in _TYPES or torch.get_num_threads() > MOST_THREADS:
        return None
    written = (*tensors, *(each for row in others[1:] for each in row))
    return library(dtype == torch.float64) if all(each.is_contiguous() for each in written) else None


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
        rows: tensors, gradients, first moments, second moments, and rates, one for each row of each tensor; all but
            gradients are contiguous.
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
    gradients = [each if each.is_contiguous() or each.dim() == 3 else each.contiguous() for each in rows[1]]
    rows = (rows[0], gradients, *rows[2:])
    layouts = [size for each in gradients for size in _layout(each)]
    pointers = [tensor.data_ptr() for of_one in zip(*rows, strict=True) for tensor in of_one]
    engine.adam(
        ctypes.c_int32(count),
        (_Numbers * count)(*numbers),
        (ctypes.c_int64 * len(layouts))(*layouts),
        (ctypes.c_void_p * len(pointers))(*pointers),
    )


def _layout(gradient: Tensor) -> tuple[int, ...]:
    """Rows, and two sizes of each, with the strides of all three: those of torch's products are transposed."""
    if gradient.is_contiguous():
        each = gradient.numel() // max(len(gradient), 1)
        return len(gradient), 1, each, each, each, 1
    return *gradient.shape, *gradient.stride()
