"""Convolutions of a stack, a fixed number of slices in each call.

``vmap`` makes one convolution of all slices, with a group for each, and oneDNN picks its kernel by the number of
groups: other bits in stacks of 1, of 2 and of 17 slices (16 filters on 3 channels of 16x16). With always ``SLICES``
groups, the last filled up with a copy, bits do not depend on the stack. 66 networks on 16x16 pixels train 1.3 times as
fast so as in one call; on 8x8, where calls cost more than arithmetic, 4 slices would be a tenth faster than 2. On a GPU
bits depend on the stack's width anyway, and launches are what a step waits for: there one call has all slices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

SLICES = 2

_PLAIN = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
_ARGUMENTS: dict[Callable[..., Tensor], tuple[str, ...]] = {
    torch.conv1d: _PLAIN, torch.conv2d: _PLAIN, torch.conv3d: _PLAIN,
    torch.conv_transpose1d: _TRANSPOSED, torch.conv_transpose2d: _TRANSPOSED, torch.conv_transpose3d: _TRANSPOSED,
}  # fmt: skip


class StackedConvolutions(TorchFunctionMode):
    """Within this context, torch's convolutions of a stack's slices are made ``SLICES`` at a time."""

    def __torch_function__(
        self, function: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, object] | None = None
    ) -> Any:
        if function not in _ARGUMENTS:
            return function(*args, **(kwargs or {}))
        settings = dict(zip(_ARGUMENTS[function], args, strict=False)) | (kwargs or {})
        inputs = [settings.pop(name, None) for name in ("input", "weight", "bias")]
        return _convolved(partial(function, **settings), *(t for t in inputs if t is not None))


def _convolved(convolve: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    result: Tensor = _Convolved.apply(convolve, *inputs)  # type: ignore[no-untyped-call]
    return result


class _Convolved(torch.autograd.Function):
    """A convolution, ``convolve(x, weight[, bias])``, with a vmap rule of its own; differentiable to any order."""

    @staticmethod
    def forward(convolve: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        return convolve(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.convolve = inputs[0]
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        pull = torch.func.vjp(ctx.convolve, *ctx.saved_tensors)[1]
        return None, *pull(gradient)

    @staticmethod
    def vmap(info: Any, in_dims: Any, convolve: Any, *inputs: Tensor) -> tuple[Tensor, int]:
        moved = [t if dim is None else t.movedim(dim, 0) for t, dim in zip(inputs, in_dims[1:], strict=True)]
        if in_dims[2] is None:  # examples, not slices: a larger batch
            x, *others = moved
            size = x.shape[:2] if x.dim() > others[0].dim() else x.shape[:1]
            return _convolved(convolve, x.flatten(0, len(size) - 1), *others).unflatten(0, size), 0
        shared = [dim is None for dim in in_dims[1:]]
        stacked = [t.expand(info.batch_size, *t.shape) if s else t for t, s in zip(moved, shared, strict=True)]
        count = at_once(stacked[0])
        parts = zip(*(t.split(count) for t in stacked), strict=True)
        return torch.cat([_of_some(convolve, count, *part) for part in parts]), 0


def at_once(x: Tensor) -> int:
    """How many slices a call has, of all in ``x``."""
    return SLICES if x.device.type == "cpu" else len(x)


def _of_some(convolve: Any, count: int, *inputs: Tensor) -> Tensor:
    """The convolutions of at most ``count`` slices; x (n, batch, channels, ...), the result the same."""
    x, weight, *bias = (_filled(t, count) for t in inputs)
    groups = count * convolve.keywords.get("groups", 1)
    side_by_side = x.transpose(0, 1).flatten(1, 2)
    together = convolve(side_by_side, weight.flatten(0, 1), *(t.flatten() for t in bias), groups=groups)
    result: Tensor = together.unflatten(1, (count, -1)).transpose(0, 1)
    return result[: len(inputs[0])]


def _filled(t: Tensor, count: int) -> Tensor:
    """The tensor with copies of its last row, up to ``count`` rows; copies get no gradient."""
    missing = count - len(t)
    return torch.cat([t, t[-1:].detach().expand(missing, *t.shape[1:])]) if missing else t
