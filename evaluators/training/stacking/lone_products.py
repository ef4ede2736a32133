"""Products of a stack of one slice with the bits that they have in company.

torch gives MKL all slices' products in one call. Where that is one product, by a vector, MKL takes another kernel: on
a processor with AVX-512 other bits in 173 of 1,792 shapes, all of one row or one column, and none between two products
and three. So a vector's product is made twice, and one is looked at. Matrices, where arithmetic counts, are not. The
look at every call takes 5 us: a lone slice's step is 1.2 times as long in a small CNN, 1.6 in an MLP, 2.2 in a GRU of
1,200 calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_PRODUCTS = (torch.ops.aten.bmm.default, torch.ops.aten.baddbmm.default)


def lone_products(slices: int, device: torch.device) -> AbstractContextManager[object]:
    """A context for a stack, forwards and backwards; on a GPU bits depend on the stack's width anyway."""
    if slices > 1 or device.type != "cpu":
        return nullcontext()
    products: TorchDispatchMode = _LoneProducts()  # type: ignore[no-untyped-call]
    return products


class _LoneProducts(TorchDispatchMode):
    def __torch_dispatch__(
        self, function: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, object] | None = None
    ) -> Any:
        if function in _PRODUCTS and _is_lone(*args[-2:]):
            return function(*map(_twice, args), **(kwargs or {}))[:1]
        return function(*args, **(kwargs or {}))


def _is_lone(left: Tensor, right: Tensor) -> bool:
    return len(left) == 1 and 1 in (left.shape[1], right.shape[2])


def _twice(tensor: Tensor) -> Tensor:
    """Two slices that are one; a summand of fewer dimensions is for all slices as it is."""
    return tensor.expand(2, *tensor.shape[1:]) if tensor.dim() == 3 else tensor
