"""The formulas of a stack's slot by kernels: one launch for all values and slopes, one for all parameters' sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from evaluators.gpu.interpreter import formulas, sums
from evaluators.gpu.launching import on, options
from evaluators.gpu.tables import Table
from evaluators.native.shares import channels_of
from primitives.operators.axes import Axes

#: Elements of a program instance, for 128 threads: with 16 blocks of them in its registers 4 instances fit in one
#: multiprocessor of an H200, with 8 there are 8.
BLOCK = 512
_TILE = 32


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a stack's slot: one tensor for all, of which each has a part.

    Attributes:
        flat: the tensor.
        places: int32 on the device, shape (parameters, 2): where each begins, and how many values a slice has.
        widths: the latter.
    """

    flat: Tensor
    places: Tensor
    widths: tuple[int, ...]


def parameters(values: Sequence[Tensor], x: Tensor) -> Parameters:
    """Where some parameters are, each of shape (own slices,) or (own slices, channels); views of one tensor stay there.

    Args:
        values: the parameters, all of one type.
        x: what they are used with.
    """
    widths = tuple(value[0].numel() for value in values)
    if not values:
        return Parameters(x.new_empty(1), x.new_empty((0, 2), dtype=torch.int32), ())
    storage = values[0].untyped_storage()
    starts = tuple(value.storage_offset() for value in values)
    flat = values[0].new_empty(0).set_(storage, 0, (storage.nbytes() // values[0].element_size(),), (1,))
    if any(not v.is_contiguous() or v.untyped_storage().data_ptr() != storage.data_ptr() for v in values):
        flat = torch.cat([value.flatten() for value in values])
        sizes = [value.numel() for value in values]
        starts = tuple(sum(sizes[:number]) for number in range(len(sizes)))
    return Parameters(flat, _places(starts, widths, x.device), widths)


@lru_cache(maxsize=256)
def _places(starts: tuple[int, ...], widths: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(list(zip(starts, widths, strict=True)), dtype=torch.int32).to(device)


@torch.no_grad()
def values(table: Table, axes: Axes, x: Tensor, given: Parameters, value: Tensor) -> None:
    """The values alone; as below."""
    _launch(table, axes, x, given, (value, value, value), slopes=False)


@torch.no_grad()
def values_and_slopes(
    table: Table, axes: Axes, x: Tensor, given: Parameters, into: tuple[Tensor, Tensor, Tensor]
) -> None:
    """Write values, slopes by x, and slopes by the parameters, in one launch; slices without a program are left out.

    Args:
        table: the programs.
        axes: of ``x``: which dimension its channels are.
        x: contiguous, shape (slices, ...), not empty.
        given: the parameters.
        into: two tensors like ``x``, and one of shape (table.partials, elements of a slice), of its type.
    """
    _launch(table, axes, x, given, into, slopes=True)


def _launch(
    table: Table, axes: Axes, x: Tensor, given: Parameters, into: tuple[Tensor, Tensor, Tensor], *, slopes: bool
) -> None:
    elements = x[0].numel()
    tensors = (given.flat, given.places, table.rows, table.code, table.outputs, table.constants)
    grid = (len(x), -(-elements // BLOCK))
    with on(x):
        formulas[grid](
            x,
            *into,
            *tensors,
            elements,
            *channels_of(x, axes),
            SLOPES=slopes,
            FILE=table.file,
            BLOCK=BLOCK,
            **options(x),
        )


@torch.no_grad()
def sums_of(gradient: Tensor, partials: Tensor, axes: Axes, rows: Tensor, into: Tensor) -> None:
    """The gradients of all parameters, in one launch.

    Args:
        gradient: by the values, contiguous, shape (slices, ...).
        partials: slopes by the parameters, shape (rows, elements of a slice).
        axes: of the gradient.
        rows: of the table of sums.
        into: one number for each sum.
    """
    channels, inner = channels_of(gradient, axes)
    with on(gradient):
        sums[len(rows), -(-channels // _TILE)](
            gradient, partials, into, rows, gradient[0].numel(), channels, inner,
            BLOCK=2 * BLOCK, TILE=_TILE, **options(gradient),
        )  # fmt: skip
