"""Functions of one number on their slices: each candidate's formula in one call, with derivatives of our own."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from evaluators.training.stacking.layout import Layout, Share, shaped
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import Program, compiled
from primitives.expression.expression import Expression
from primitives.operators.axes import Axes

_Scaled = tuple[Program, Tensor]  # a program and the factor of its outputs


@lru_cache(maxsize=64)
def _values(layout: Layout, dtype: torch.dtype, device: torch.device) -> tuple[_Scaled, ...]:
    """For each share, the program of its formula."""
    return tuple(_scaled((share.expression,), share, dtype, device) for share in layout.shares)


@lru_cache(maxsize=64)
def _slopes(layout: Layout, dtype: torch.dtype, device: torch.device) -> tuple[_Scaled, ...]:
    """For each share, the program of its formula and its derivatives with respect to input and parameters."""
    rows = zip(layout.shares, layout.names, strict=True)
    roots = [(share.expression, *(derivative(share.expression, wrt) for wrt in ("x", *names))) for share, names in rows]
    return tuple(_scaled(each, share, dtype, device) for each, share in zip(roots, layout.shares, strict=True))


def _scaled(roots: tuple[Expression, ...], share: Share, dtype: torch.dtype, device: torch.device) -> _Scaled:
    program = compiled(roots).typed(dtype)
    leaves = tuple(leaf.to(device) if isinstance(leaf, Tensor) else leaf for leaf in program.leaves)
    return replace(program, leaves=leaves), torch.tensor(share.factor, dtype=dtype, device=device)


def apply(function: type[torch.autograd.Function], *inputs: Any) -> Tensor:
    result: Tensor = function.apply(*inputs)
    return result


def _write(scaled: _Scaled, x: Tensor, axes: Axes, parameters: dict[str, Tensor], into: list[Tensor]) -> None:
    """The program's outputs at ``x``, one share's slices of the input, times the factor, into one tensor each."""
    program, factor = scaled
    values = {name: shaped(value, x.dim(), axes).to(x.dtype) for name, value in parameters.items()}
    for value, target in zip(program.run(x, values), into, strict=True):
        torch.mul(value, factor, out=target)


def _total(gradient: Tensor, slope: Tensor, value: Tensor, axes: Axes) -> Tensor:
    """Gradient of a parameter, in its own type: the sum over everything that it was broadcast to."""
    product = (gradient * slope).to(value.dtype)
    return product.sum_to_size(shaped(value, slope.dim(), axes).shape).view(value.shape)


class Stacked(torch.autograd.Function):
    """Formulas on their slices of ``x``, shape (N, batch, ...); differentiable to any order."""

    @staticmethod
    def forward(layout: Layout, axes: Axes, x: Tensor, *values: Tensor) -> Tensor:
        result = torch.empty_like(x)
        programs = _values(layout, x.dtype, x.device)
        with torch.autocast(x.device.type, enabled=False):
            for share, parameters, program in zip(layout.shares, layout.sections(values), programs, strict=True):
                here = slice(share.start, share.stop)
                _write(program, x[here], axes, parameters, [result[here]])
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
        ctx.layout, ctx.axes, ctx.values, ctx.slopes = layout, axes, values, []
        programs = _slopes(layout, x.dtype, x.device)
        with torch.autocast(x.device.type, enabled=False):
            for share, parameters, program in zip(layout.shares, layout.sections(values), programs, strict=True):
                here = slice(share.start, share.stop)
                of_values = [torch.empty_like(x[here]) for _ in parameters]
                _write(program, x[here], axes, parameters, [result[here], slope[here], *of_values])
                ctx.slopes += of_values
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
