"""Batch normalisation in a stack: gradients leave it in the memory order that a lone model's have.

vmap puts the slices' channels side by side, and so the gradient of what comes before would be summed over the batch in
an order that depends on the stack's width. The bias of a layer before BatchNorm has no gradient but that rounding,
which Adam makes a whole step of. (A stack of one slice with fewer channels than a vector register holds still rounds
otherwise.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_FUNCTIONS = (torch.batch_norm, torch.instance_norm, F.batch_norm, F.instance_norm)
NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)


class StackedBatchNorm(TorchFunctionMode):
    """Within this context, the inputs of torch's batch and instance normalisation are slice after slice in memory."""

    def __torch_function__(
        self, function: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, object] | None = None
    ) -> Any:
        if function in _FUNCTIONS and args:
            args = (_ordered(args[0]), *args[1:])
        return function(*args, **(kwargs or {}))


def _ordered(x: Tensor) -> Tensor:
    result: Tensor = _Ordered.apply(x)  # type: ignore[no-untyped-call]
    return result


class _Ordered(torch.autograd.Function):
    """The identity; under vmap slices come first in memory, in the input and in its gradient."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.contiguous() if not x.is_contiguous() else x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _ordered(gradient)

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor) -> tuple[Tensor, int]:
        return _ordered(x.movedim(in_dims[0], 0)), 0
