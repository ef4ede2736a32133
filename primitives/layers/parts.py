"""Parts: views of large tensors on a CPU, so small that the temporaries of a formula stay in cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

PART = 32_768  # elements: 128 KiB of float32, of which a second-level cache holds several

_is_transformed: Callable[[Tensor], bool] = torch._C._functorch.is_functorch_wrapped_tensor  # inside vmap, grad or jvp


def goes_in_parts(x: Tensor, parameters: Sequence[Tensor]) -> bool:
    """True if an input is worth splitting and can be: large, dense, on a CPU, and no parameter varies over its rows."""
    if x.numel() <= PART or x.device.type != "cpu" or type(x) not in (Tensor, torch.nn.Parameter):
        return False
    if any(_is_transformed(t) for t in (x, *parameters)):
        return False
    trailing = _trailing(parameters)
    return trailing < x.dim() if x.is_contiguous() else trailing == 0 and _is_channels_last(x)


def parts(tensors: Sequence[Tensor], parameters: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """Views of about ``PART`` elements of tensors of one shape, which with each part of the parameters broadcast.

    The first tensor is one that :func:`goes_in_parts`; the others are brought into its memory order.
    """
    rows = [_rows(t, _trailing(parameters), tensors[0]) for t in tensors]
    length = max(1, PART * len(rows[0]) // rows[0].numel())
    return zip(*(t.split(length) for t in rows), strict=True)


def _rows(t: Tensor, trailing: int, model: Tensor) -> Tensor:
    """A tensor as (rows, the dimensions that parameters have), a view if its memory is ordered as the model's is."""
    if not model.is_contiguous():
        t = t.permute(0, 2, 3, 1)
    return t.contiguous().view(-1, *t.shape[t.dim() - trailing :])


def _trailing(parameters: Sequence[Tensor]) -> int:
    return max((p.dim() for p in parameters), default=0)


def _is_channels_last(x: Tensor) -> bool:
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
