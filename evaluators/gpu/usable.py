"""Where the kernels can run."""

from __future__ import annotations

import os
from functools import cache

import torch
from torch import Tensor

from evaluators.native.library import OFF, VARIABLE

#: Elements of a slice: a grid has up to 65,535 blocks of 512 in its second dimension.
MOST = 2**24
#: Of Triton: the kernels hold tuples, and compile with this version and with 3.6 and 3.7.
OLDEST = (3, 5)
TYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def has_kernels(x: Tensor) -> bool:
    """The kernels take the tensor: it is on an NVIDIA GPU, of one of their types, and without gaps.

    Triton has to be there, and the variable ACTSEARCH_ENGINE not ``torch``.
    """
    fit = x.dtype in TYPES and x.is_contiguous() and 0 < x.numel() <= len(x) * MOST
    return fit and is_on_gpu(x) and has_triton()


def repeats(x: Tensor) -> bool:
    """What is launched on the tensor's device can be recorded as a graph and replayed."""
    return is_on_gpu(x) and not is_off()


def is_on_gpu(x: Tensor) -> bool:
    """The functions of :mod:`evaluators.gpu.operators` are NVIDIA's."""
    return x.is_cuda and torch.version.hip is None


@cache
def has_triton() -> bool:
    """Triton can be imported, is new enough, and the engines are not turned off."""
    if is_off():
        return False
    try:
        import triton
    except ImportError:
        return False
    return tuple(int(part) for part in triton.__version__.split(".")[:2]) >= OLDEST


def is_off() -> bool:
    """The user wants torch alone."""
    return os.environ.get(VARIABLE) == OFF
