"""The activation slot: the place of the candidate in a stacked network, where its formula meets its slices.

A stack trains N models as one by ``torch.func.vmap`` over their stacked weights. The slot's function has a vmap rule
of its own: at the level where its marker buffer is batched, the batch is the stack and each candidate's formula is
applied to its own range of slices in one call; at any other level (per-sample gradients) it passes through.
Its backward is the same function at the next derivative, so that reverse mode nests; forward mode is not defined.
Layers with statistics and gates are no functions of one number: their backward is their pullback.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from evaluators.errors import EvaluationError
from evaluators.training.stacking.layer_shares import LayerShares, Pullback, Statistics
from evaluators.training.stacking.layout import Layout
from evaluators.training.stacking.pointwise_shares import Stacked, apply, stacked_once
from primitives.operators.axes import Axes

#: Given the stacked inputs and outputs of an activation, shape (slices, ...), what goes on in the outputs' place.
After = Callable[[Tensor, Tensor], Tensor]


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
        return apply(function, self.layout, self.axes, x, *self.values)


class ActivationSlot(nn.Module):
    """Stands where the activation was; ``layout`` and ``values`` belong to the stack, not to the state.

    Args:
        layout: who owns which slices.
        channels: of its inputs.
        channel_dim: their dimension, counted from the last one: levels of vmap take none of those.
        first_order: losses that need no second derivative: the slope is computed with the value and stored.

    Attributes:
        after: applied to the stacked inputs and outputs, to look at them or to disturb the outputs; derivatives stay
            those of the formula.
        values: one tensor for each candidate parameter, in the order of ``layout``: shape (slices,) for one per layer,
            (slices, channels) for one per channel.
        dtype: what it is computed in, and its output rounded to; None: that of its inputs.
        statistics: over examples, which layers take in evaluation; None: those of the batch, as in training.
        noted: where the statistics of each batch are put down, or None.
    """

    marker: Tensor

    def __init__(self, layout: Layout, *, channels: int = 1, channel_dim: int = -1, first_order: bool = True) -> None:
        super().__init__()
        self.layout = layout
        self.first_order = first_order
        self.values: list[Tensor] = []
        self.after: After | None = None
        self.dtype: torch.dtype | None = None
        self.statistics: Statistics | None = None
        self.noted: list[Statistics] | None = None
        self.channels, self.channel_dim = channels, channel_dim
        self.axes = Axes(channel_dim if channels > 1 else None)
        self.register_buffer("marker", torch.zeros((), device="cpu"))

    def forward(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """The activation of ``x``, or of a gate's two inputs, in its shape; within a stack, that of each slice."""
        if self.dtype is None:
            return self._applied(x, z)
        return self._applied(x.to(self.dtype), None if z is None else z.to(self.dtype)).to(self.dtype).to(x.dtype)

    def _applied(self, x: Tensor, z: Tensor | None) -> Tensor:
        if self.layout.is_pointwise:
            contents = _Contents(self.layout, self.axes, tuple(self.values), self.after)
            return apply(_Sliced, self.first_order, contents, x, self.marker)
        axes = Axes(self.channel_dim, x.dim())
        statistics = None if self.training else self.statistics
        shares = LayerShares(self.layout, axes, tuple(self.values), statistics, self.noted, self.first_order)
        second = () if z is None else (z,)
        return _mapped(shares, self.after, self.marker, x, *second)[0]


class _Sliced(torch.autograd.Function):
    """The function of an activation slot: one model outside the stack, all of them inside."""

    @staticmethod
    def forward(once: bool, contents: _Contents, x: Tensor, marker: Tensor) -> Tensor:
        shares = contents.layout.shares
        if len(shares) != 1 or shares[0].slices != 1:
            raise EvaluationError("an activation slot with several models was called outside their stack")
        return contents.on(Stacked, x[None])[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.contents = inputs[1]
        ctx.save_for_backward(*inputs[2:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, marker = ctx.saved_tensors
        return None, None, gradient * apply(_Sliced, False, ctx.contents.derivative("x"), x, marker), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> tuple[Tensor, int]:
        once, contents, x, marker = inputs
        x_dim, marker_dim = in_dims[2:]
        x = x.unsqueeze(0).expand(info.batch_size, *x.shape) if x_dim is None else x.movedim(x_dim, 0)
        if marker_dim is None:
            return apply(_Sliced, once, contents, x, marker), 0
        x = x.contiguous()
        function = stacked_once(x) if once and torch.is_grad_enabled() else Stacked
        result = contents.on(function, x)
        return result if contents.after is None else contents.after(x, result), 0


def _mapped(function: LayerShares | Pullback, after: After | None, *tensors: Tensor) -> tuple[Tensor, ...]:
    results: tuple[Tensor, ...] = _Mapped.apply(function, after, *tensors)  # type: ignore[no-untyped-call]
    return results


class _Mapped(torch.autograd.Function):
    """A function of stacked tensors in its place in the network: one model outside the stack, all of them inside."""

    @staticmethod
    def forward(
        function: LayerShares | Pullback, after: After | None, marker: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:  # fmt: skip
        return tuple(result[0] for result in function(*(tensor[None] for tensor in tensors)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.function = inputs[0]
        ctx.save_for_backward(*inputs[2:])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        marker, *tensors = ctx.saved_tensors
        pullback = Pullback(ctx.function, len(tensors))
        return None, None, None, *_mapped(pullback, None, marker, *tensors, *gradients)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        function, after, _, *tensors = inputs
        _, _, marker_dim, *dims = in_dims
        if marker_dim is None:
            raise EvaluationError("a layer with statistics, or a gate, was mapped over examples by torch.func.vmap")
        moved = [
            tensor.unsqueeze(0).expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, dims, strict=True)
        ]
        results = function(*moved)
        if after is not None:
            results = (after(moved[0], results[0]),)
        return results, (0,) * len(results)
