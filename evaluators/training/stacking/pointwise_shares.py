"""Functions of one number on their slices: each candidate's formula in one call, with derivatives of our own."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import CDLL
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from evaluators.gpu.usable import has_kernels
from evaluators.native.shares import Interpreted, Part, usable
from evaluators.training.stacking.kernel_shares import KernelOnce, values_by_kernels
from evaluators.training.stacking.layout import Layout, Share, shaped
from primitives.expression.derivative import with_slopes
from primitives.expression.evaluation import Program, compiled
from primitives.expression.expression import Expression
from primitives.lowering.bytecode.program import bytecode_or_none
from primitives.operators.axes import Axes

_Scaled = tuple[Program, Tensor]  # a program and the factor of its outputs


@dataclass(frozen=True, slots=True)
class _Targets:
    """Where outputs go: the first ones into tensors of the shape of x, the others into each share's own."""

    wholes: Sequence[Tensor]
    own: Sequence[Sequence[Tensor]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the formulas of a layout are computed: by the engine where it has what they need, else by torch.

    Args:
        native: the shares that the engine takes, in stack order; None: there are none.
        others: by number, the shares that torch computes.
        is_native: for each share.
    """

    native: Interpreted | None
    others: dict[int, _Scaled]
    is_native: tuple[bool, ...]


@lru_cache(maxsize=64)
def _values(layout: Layout, dtype: torch.dtype, device: torch.device, engine: CDLL | None) -> _Plan:
    """For the formulas alone."""
    return _plan([(share.expression,) for share in layout.shares], layout, (dtype, device), engine)


@lru_cache(maxsize=64)
def _slopes(layout: Layout, dtype: torch.dtype, device: torch.device, engine: CDLL | None) -> _Plan:
    """For each formula with its derivatives with respect to input and parameters."""
    rows = zip(layout.shares, layout.names, strict=True)
    roots = [with_slopes(share.expression, names) for share, names in rows]
    return _plan(roots, layout, (dtype, device), engine)


def _plan(
    roots: Sequence[tuple[Expression, ...]], layout: Layout, of: tuple[torch.dtype, torch.device], engine: CDLL | None
) -> _Plan:
    codes = [bytecode_or_none(each, names) if engine else None for each, names in zip(roots, layout.names, strict=True)]
    rows = list(zip(codes, layout.shares, strict=True))
    parts = [Part(code, share.start, share.stop, share.factor) for code, share in rows if code is not None]
    others = {
        number: _scaled(roots[number], share, *of) for number, (code, share) in enumerate(rows) if code is None
    }  # fmt: skip
    native = Interpreted(engine, of[0], parts) if engine and parts else None
    return _Plan(native, others, tuple(code is not None for code in codes))


def _scaled(roots: tuple[Expression, ...], share: Share, dtype: torch.dtype, device: torch.device) -> _Scaled:
    program = compiled(roots).typed(dtype)
    leaves = tuple(leaf.to(device) if isinstance(leaf, Tensor) else leaf for leaf in program.leaves)
    return replace(program, leaves=leaves), torch.tensor(share.factor, dtype=dtype, device=device)


def apply(function: type[torch.autograd.Function], *inputs: Any) -> Tensor:
    result: Tensor = function.apply(*inputs)
    return result


def _write(plan: _Plan, layout: Layout, axes: Axes, x: Tensor, values: Sequence[Tensor], into: _Targets) -> None:
    """Each share's outputs at its slices of ``x``, times its factor."""
    sections = layout.sections(values)
    if plan.native is not None:
        chosen = [number for number, native in enumerate(plan.is_native) if native]
        given = [value for number in chosen for value in sections[number].values()]
        row, starts = x.stride(0) * x.element_size(), [whole.data_ptr() for whole in into.wholes]
        addresses = []
        for number in chosen:  # views of torch's cost 1 us each
            addresses += [start + layout.shares[number].start * row for start in starts]
            addresses += [own.data_ptr() for own in into.own[number]]
        plan.native.run(x, axes, given, addresses)
    for number, (program, factor) in plan.others.items():
        share = layout.shares[number]
        here = slice(share.start, share.stop)
        parameters = {name: shaped(value, x.dim(), axes).to(x.dtype) for name, value in sections[number].items()}
        targets = [*(whole[here] for whole in into.wholes), *into.own[number]]
        with torch.autocast(x.device.type, enabled=False):
            for value, target in zip(program.run(x[here], parameters), targets, strict=True):
                torch.mul(value, factor, out=target)


def _total(gradient: Tensor, slope: Tensor, value: Tensor, axes: Axes) -> Tensor:
    """Gradient of a parameter, in its own type: the sum over everything that it was broadcast to."""
    product = (gradient * slope).to(value.dtype)
    return product.sum_to_size(shaped(value, slope.dim(), axes).shape).view(value.shape)


class Stacked(torch.autograd.Function):
    """Formulas on their slices of ``x``, shape (N, batch, ...); differentiable to any order."""

    @staticmethod
    def forward(layout: Layout, axes: Axes, x: Tensor, *values: Tensor) -> Tensor:
        if has_kernels(x):
            return values_by_kernels(layout, axes, x, values)
        result = torch.empty_like(x)
        plan = _values(layout, x.dtype, x.device, usable(x))
        _write(plan, layout, axes, x, values, _Targets([result], [[]] * len(layout.shares)))
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.layout, ctx.axes = inputs[:2]
        ctx.save_for_backward(*inputs[2:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, *values = ctx.saved_tensors
        layout, axes = ctx.layout, ctx.axes
        of_x = gradient * apply(Stacked, layout.derivative("x"), axes, x, *values) if ctx.needs_input_grad[2] else None
        of_values: list[Tensor] = []
        sections = zip(layout.shares, layout.sections(values), strict=True)
        for number, (share, parameters) in enumerate(sections):
            part, upstream = x[share.start : share.stop], gradient[share.start : share.stop]
            alone = layout.alone(number)
            for name, value in parameters.items():
                slope = apply(Stacked, alone.derivative(name), axes, part, *parameters.values())
                of_values.append(_total(upstream, slope, value, axes))
        return None, None, of_x, *of_values


class StackedOnce(torch.autograd.Function):
    """The same for first derivatives alone: value and slope share their subexpressions, and the slope is stored."""

    @staticmethod
    def forward(ctx: Any, layout: Layout, axes: Axes, x: Tensor, *values: Tensor) -> Tensor:
        result, slope = torch.empty_like(x), torch.empty_like(x)
        plan = _slopes(layout, x.dtype, x.device, usable(x))
        rows = zip(layout.shares, layout.names, strict=True)
        own = [[x.new_empty((share.slices, *x.shape[1:])) for _ in names] for share, names in rows]
        _write(plan, layout, axes, x, values, _Targets([result, slope], own))
        ctx.layout, ctx.axes, ctx.values = layout, axes, values
        ctx.slopes = [each for of_share in own for each in of_share]
        ctx.save_for_backward(slope)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        (slope,) = ctx.saved_tensors
        owners = [share for share, names in zip(ctx.layout.shares, ctx.layout.names, strict=True) for _ in names]
        rows = zip(owners, ctx.slopes, ctx.values, strict=True)
        of_values = [
            _total(gradient[share.start : share.stop], partial, value, ctx.axes) for share, partial, value in rows
        ]
        return None, None, gradient * slope, *of_values


def stacked_once(x: Tensor) -> type[torch.autograd.Function]:
    """The function of stacked inputs, shape (N, batch, ...), for first derivatives alone: by kernels where they can."""
    return KernelOnce if has_kernels(x) else StackedOnce
