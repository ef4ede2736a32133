"""The activation slot: the place of the candidate in a stacked network, where its formula meets its slices.

A stack trains N models as one by ``torch.func.vmap`` over their stacked weights. The slot's function has a vmap rule
of its own: at the level where its marker buffer is batched, the batch is the stack and each candidate's formula is
applied to its own range of slices in one call; at any other level (per-sample gradients) it passes through.
Its backward is the same function at the next derivative, so that reverse mode nests; forward mode is not defined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from evaluators.errors import EvaluationError
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import Program, compiled
from primitives.expression.expression import Expression
from primitives.layers.axes import Axes


@dataclass(frozen=True, slots=True)
class Share:
    """One candidate's part of a stack: ``factor`` times its formula, on the slices ``start:stop``."""

    expression: Expression
    start: int
    stop: int
    factor: float = 1.0

    @property
    def slices(self) -> int:
        """How many they are."""
        return self.stop - self.start

    def derivative(self, wrt: str) -> Share:
        """The same slices with the derivative of the formula."""
        return replace(self, expression=derivative(self.expression, wrt))


@dataclass(frozen=True, slots=True)
class Layout:
    """Who owns which slices, and the names of each owner's parameters, in stack order."""

    shares: tuple[Share, ...]
    names: tuple[tuple[str, ...], ...]

    def derivative(self, wrt: str) -> Layout:
        """The same layout with the derivatives of the formulas."""
        return Layout(tuple(share.derivative(wrt) for share in self.shares), self.names)


#: Given the stacked inputs and outputs of an activation, shape (slices, ...), what goes on in the outputs' place.
After = Callable[[Tensor, Tensor], Tensor]

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


@dataclass(frozen=True, slots=True)
class _Contents:
    """What an activation slot holds: layout, axes of its inputs, parameters, ``after``.

    They are one argument: the vmap machinery costs 20 us for each that it is shown.
    """

    layout: Layout
    axes: Axes
    values: tuple[Tensor, ...]
    after: After | None = None

    def derivative(self, wrt: str) -> _Contents:
        """The same contents with the derivatives of the formulas; nothing is done to their outputs."""
        return replace(self, layout=self.layout.derivative(wrt), after=None)

    def on(self, function: type[torch.autograd.Function], x: Tensor) -> Tensor:
        """A function of stacked inputs, shape (N, ...)."""
        return _call(function, self.layout, self.axes, x, *self.values)


class ActivationSlot(nn.Module):
    """Stands where the activation was; ``layout`` and ``values`` belong to the stack, not to the state.

    Args:
        layout: shared by all activation slots of a network.
        channels: of its inputs.
        channel_dim: their dimension, counted from the last one: levels of vmap take none of those.
        first_order: losses that need no second derivative: the slope is computed with the value and stored.

    ``after`` is applied to the stacked inputs and outputs, to look at them or to disturb the outputs; derivatives stay
    those of the formula.

    ``values`` holds one tensor for each candidate parameter, in the order of ``layout``: shape (slices,) for one
    per layer, (slices, channels) for one per channel.
    """

    marker: Tensor

    def __init__(self, layout: Layout, *, channels: int = 1, channel_dim: int = -1, first_order: bool = True) -> None:
        super().__init__()
        self.layout = layout
        self.first_order = first_order
        self.values: list[Tensor] = []
        self.after: After | None = None
        self.channels = channels
        self.axes = Axes(channel_dim if channels > 1 else None)
        self.register_buffer("marker", torch.zeros((), device="cpu"))

    def forward(self, x: Tensor) -> Tensor:
        """The activation of ``x``, in its shape; within a stack, that of each slice."""
        contents = _Contents(self.layout, self.axes, tuple(self.values), self.after)
        return _call(_Sliced, self.first_order, contents, x, self.marker)


def _call(function: type[torch.autograd.Function], *inputs: Any) -> Tensor:
    result: Tensor = function.apply(*inputs)
    return result


def _sections(layout: Layout, values: Sequence[Tensor]) -> list[dict[str, Tensor]]:
    """The parameter values of each share, by name."""
    rest = iter(values)
    return [{name: next(rest) for name in names} for names in layout.names]


def _shaped(value: Tensor, dims: int, axes: Axes) -> Tensor:
    """A parameter (slices,) or (slices, C) shaped to broadcast with its slices of x, dims-dimensional."""
    own = axes.shaped(value) if value.dim() == 2 else value
    return own.view(len(own), *[1] * (dims - own.dim()), *own.shape[1:])


def _write(scaled: _Scaled, x: Tensor, axes: Axes, parameters: dict[str, Tensor], into: list[Tensor]) -> None:
    """The program's outputs at ``x``, one share's slices of the input, times the factor, into one tensor each."""
    program, factor = scaled
    shaped = {name: _shaped(value, x.dim(), axes).to(x.dtype) for name, value in parameters.items()}
    for value, target in zip(program.run(x, shaped), into, strict=True):
        torch.mul(value, factor, out=target)


def _total(gradient: Tensor, slope: Tensor, value: Tensor, axes: Axes) -> Tensor:
    """Gradient of a parameter, in its own type: the sum over everything that it was broadcast to."""
    product = (gradient * slope).to(value.dtype)
    return product.sum_to_size(_shaped(value, slope.dim(), axes).shape).view(value.shape)


class _Stacked(torch.autograd.Function):
    """Formulas on their slices of ``x``, shape (N, batch, ...); differentiable to any order."""

    @staticmethod
    def forward(layout: Layout, axes: Axes, x: Tensor, *values: Tensor) -> Tensor:
        result = torch.empty_like(x)
        programs = _values(layout, x.dtype, x.device)
        with torch.autocast(x.device.type, enabled=False):
            for share, parameters, program in zip(layout.shares, _sections(layout, values), programs, strict=True):
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
        of_x = gradient * _call(_Stacked, layout.derivative("x"), axes, x, *values) if ctx.needs_input_grad[2] else None
        of_values: list[Tensor] = []
        for share, parameters in zip(layout.shares, _sections(layout, values), strict=True):
            part, upstream = x[share.start : share.stop], gradient[share.start : share.stop]
            alone = Layout((replace(share, start=0, stop=share.slices),), (tuple(parameters),))
            for name, value in parameters.items():
                slope = _call(_Stacked, alone.derivative(name), axes, part, *parameters.values())
                of_values.append(_total(upstream, slope, value, axes))
        return None, None, of_x, *of_values


class _StackedOnce(torch.autograd.Function):
    """The same for first derivatives alone: value and slope share their subexpressions, and the slope is stored."""

    @staticmethod
    def forward(ctx: Any, layout: Layout, axes: Axes, x: Tensor, *values: Tensor) -> Tensor:
        result, slope = torch.empty_like(x), torch.empty_like(x)
        ctx.layout, ctx.axes, ctx.values, ctx.slopes = layout, axes, values, []
        programs = _slopes(layout, x.dtype, x.device)
        with torch.autocast(x.device.type, enabled=False):
            for share, parameters, program in zip(layout.shares, _sections(layout, values), programs, strict=True):
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


class _Sliced(torch.autograd.Function):
    """The function of an activation slot: one model outside the stack, all of them inside."""

    @staticmethod
    def forward(once: bool, contents: _Contents, x: Tensor, marker: Tensor) -> Tensor:
        shares = contents.layout.shares
        if len(shares) != 1 or shares[0].slices != 1:
            raise EvaluationError("an activation slot with several models was called outside their stack")
        return contents.on(_Stacked, x[None])[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.contents = inputs[1]
        ctx.save_for_backward(*inputs[2:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, marker = ctx.saved_tensors
        return None, None, gradient * _call(_Sliced, False, ctx.contents.derivative("x"), x, marker), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> tuple[Tensor, int]:
        once, contents, x, marker = inputs
        x_dim, marker_dim = in_dims[2:]
        x = x.unsqueeze(0).expand(info.batch_size, *x.shape) if x_dim is None else x.movedim(x_dim, 0)
        if marker_dim is None:
            return _call(_Sliced, once, contents, x, marker), 0
        function = _StackedOnce if once and torch.is_grad_enabled() else _Stacked
        result = contents.on(function, x.contiguous())
        return result if contents.after is None else contents.after(x, result), 0
