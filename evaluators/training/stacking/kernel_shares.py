"""Functions of one number on their slices by kernels of a GPU: as many launches for a hundred candidates as for one.

A candidate whose formula the kernels lack is torch's, beside the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from evaluators.gpu.tables import Part, Table, fits, rows_of_sums, table
from evaluators.training.stacking.layout import Layout, Share, shaped
from primitives.expression.derivative import with_slopes
from primitives.expression.evaluation import Program, compiled
from primitives.expression.expression import Expression
from primitives.lowering.bytecode.program import bytecode_or_none
from primitives.operators.axes import Axes


def values_by_kernels(layout: Layout, axes: Axes, x: Tensor, given: Sequence[Tensor]) -> Tensor:
    """The formulas on their slices of ``x``, shape (N, batch, ...);
    :func:`evaluators.gpu.usable.has_kernels` says where."""
    from evaluators.gpu import formulas

    value = torch.empty_like(x)
    programs, parts = _table(layout, len(x), x.device, once=False)
    formulas.values(programs, axes, x, formulas.parameters(given, x), value)
    _by_torch(layout, parts, axes, x, given, [value])
    return value


class KernelOnce(torch.autograd.Function):
    """The same with slopes, which are stored; first derivatives alone."""

    @staticmethod
    def forward(ctx: Any, layout: Layout, axes: Axes, x: Tensor, *given: Tensor) -> Tensor:
        from evaluators.gpu import formulas

        value, slope = torch.empty_like(x), torch.empty_like(x)
        programs, parts = _table(layout, len(x), x.device, once=True)
        partials = x.new_empty(programs.partials, x[0].numel())
        formulas.values_and_slopes(programs, axes, x, formulas.parameters(given, x), (value, slope, partials))
        _by_torch(layout, parts, axes, x, given, [value, slope], partials)
        ctx.layout, ctx.axes, ctx.given, ctx.partials = layout, axes, given, partials
        ctx.save_for_backward(slope)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        from evaluators.gpu import formulas

        (slope,) = ctx.saved_tensors
        of_x = gradient * slope
        if not ctx.given:
            return None, None, of_x
        widths = tuple(value[0].numel() for value in ctx.given)
        rows, count = _sums(ctx.layout, widths, gradient.device)
        found = torch.empty(count, dtype=ctx.given[0].dtype, device=gradient.device)
        formulas.sums_of(gradient.contiguous(), ctx.partials, ctx.axes, rows, found)
        parts = found.split([value.numel() for value in ctx.given])
        return None, None, of_x, *(part.view(value.shape) for part, value in zip(parts, ctx.given, strict=True))


@lru_cache(maxsize=1024)  # where a candidate is a layer, each share of each slot has a table
def _table(layout: Layout, slices: int, device: torch.device, *, once: bool) -> tuple[Table, tuple[Part, ...]]:
    rows = zip(layout.shares, layout.names, strict=True)
    parts = tuple(_part(share, names, _roots(share, names if once else None)) for share, names in rows)
    return table(parts, slices, device), parts


@lru_cache(maxsize=1024)
def _sums(layout: Layout, widths: tuple[int, ...], device: torch.device) -> tuple[Tensor, int]:
    rows = zip(layout.shares, layout.names, strict=True)
    return rows_of_sums([(share.start, share.stop, len(names)) for share, names in rows], widths, device)


def _roots(share: Share, names: tuple[str, ...] | None) -> tuple[Expression, ...]:
    """The formula; with names its derivatives by x and by them, too."""
    return (share.expression,) if names is None else with_slopes(share.expression, names)


def _part(share: Share, names: tuple[str, ...], roots: tuple[Expression, ...]) -> Part:
    code = bytecode_or_none(roots, names)
    return Part(code if code is not None and fits(code) else None, share.start, share.stop, share.factor, len(names))


def _by_torch(
    layout: Layout, parts: Sequence[Part], axes: Axes, x: Tensor, given: Sequence[Tensor], into: Sequence[Tensor],
    partials: Tensor | None = None,
) -> None:  # fmt: skip
    """What of the shares without a program goes into tensors like ``x``, and into their rows of the partials."""
    row = 0
    for share, names, part, own in zip(layout.shares, layout.names, parts, layout.sections(given), strict=True):
        first, row = row, row + len(names) * share.slices
        if part.code is not None:
            continue
        here = x[share.start : share.stop]
        slopes = [] if partials is None else partials[first:row].view(len(names), *here.shape).unbind()
        targets = [*(each[share.start : share.stop] for each in into), *slopes]
        parameters = {name: shaped(value, x.dim(), axes).to(x.dtype) for name, value in own.items()}
        program = _program(_roots(share, None if partials is None else names), x.dtype, x.device)
        with torch.autocast(x.device.type, enabled=False):
            for value, target in zip(program.run(here, parameters), targets, strict=True):
                torch.mul(value, share.factor, out=target)


@lru_cache(maxsize=256)
def _program(roots: tuple[Expression, ...], dtype: torch.dtype, device: torch.device) -> Program:
    program = compiled(roots).typed(dtype)
    leaves = tuple(leaf.to(device) if isinstance(leaf, Tensor) else leaf for leaf in program.leaves)
    return replace(program, leaves=leaves)
