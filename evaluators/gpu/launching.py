"""How kernels are launched."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def options(x: Tensor) -> dict[str, bool]:
    """NVIDIA's functions keep what is below 1e-38, as torch's do."""
    return {"enable_reflect_ftz": False} if x.is_cuda else {}


def on(x: Tensor) -> AbstractContextManager[object]:
    """A context in which the tensor's device is current: kernels run there."""
    away = x.is_cuda and x.get_device() != torch.cuda.current_device()
    return torch.cuda.device(x.device) if away else nullcontext()
