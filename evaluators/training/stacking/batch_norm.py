"""Batch normalisation in a stack: tensors come to it and leave it in one memory order, whatever the stack's width.

vmap puts the slices' channels side by side, and so the gradient of what comes before would be summed over the batch in
an order that depends on the stack's width. The bias of a layer before BatchNorm has no gradient but that rounding,
which Adam makes a whole step of. The gradient that comes to it would be contiguous in a stack of one slice alone, and
torch sums the two kinds otherwise; scale and shift are therefore taken behind it. (Inputs without positions
in a stack of one slice with fewer channels than a vector register holds may still round otherwise.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_INSTANCE_NORMS = (torch.instance_norm, F.instance_norm)
NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)


class StackedBatchNorm(TorchFunctionMode):
    """Within this context, the inputs of torch's batch and instance normalisation are slice after slice in memory."""

    def __torch_function__(
        self, function: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, object] | None = None
    ) -> Any:
        named: Any = kwargs or {}
        if function is F.batch_norm:
            return _by_module(*args, **named)
        if function is torch.batch_norm:
            return _by_torch(*args, **named)
        if function in _INSTANCE_NORMS and args:
            args = (_ordered(args[0]), *args[1:])
        return function(*args, **named)


def _by_module(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """``F.batch_norm``: normalised in the type of its statistics, as torch does outside a stack, then scaled."""
    held = next((each for each in (running_mean, weight, bias) if each is not None), input)
    x = _ordered(input).to(held.dtype)
    result = _handed_back(F.batch_norm(x, running_mean, running_var, None, None, training, momentum, eps))
    wide = (-1, *[1] * (input.dim() - 2))
    result = result if weight is None else result * weight.view(wide)
    result = result if bias is None else result + bias.view(wide)
    return result.to(input.dtype)


def _by_torch(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
    training: bool, momentum: float, eps: float, cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """``torch.batch_norm``, whose arguments have another order."""
    return _by_module(input, running_mean, running_var, weight, bias, training, momentum, eps)


def _ordered(x: Tensor) -> Tensor:
    result: Tensor = _Ordered.apply(x)  # type: ignore[no-untyped-call]
    return result


def _handed_back(x: Tensor) -> Tensor:
    result: Tensor = _HandedBack.apply(x)  # type: ignore[no-untyped-call]
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


class _HandedBack(torch.autograd.Function):
    """The identity; under vmap its gradient has the slices' channels side by side in memory, in one piece."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.contiguous()

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor) -> tuple[Tensor, int]:
        return _handed_back(x.movedim(in_dims[0], 1)), 1
