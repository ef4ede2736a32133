"""An expression as a layer, which holds its parameters."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad

from primitives.equivalence.builtin import as_builtin
from primitives.errors import ExpressionError
from primitives.expression.expression import Expression
from primitives.layers.expression_layer import ExpressionLayer
from primitives.layers.pointwise import pointwise
from primitives.layers.traced import plain_form


class Activation(ExpressionLayer):
    """An activation layer with real parameters.

    A formula that equals a built-in of torch is computed by that; see :mod:`primitives.equivalence.builtin`. Eagerly
    any other is the fused form of :mod:`primitives.layers.pointwise`, which keeps the input alone for the backward pass
    and can be differentiated to any order. The plain form, ordinary torch operators with torch's own derivatives,
    takes its place under ``torch.export``, in forward mode (``jvp``, ``jacfwd``, ``hessian``) and on request. Under
    ``torch.compile`` it is ordinary operators with our first derivatives; torch itself refuses to go through compiled
    code twice ("does not currently support double backward", or a complaint about donated buffers), so leave a model
    whose loss holds derivatives uncompiled. Compile the model, not each layer: torch compiles one method at most
    eight times.

    Args:
        expression: the formula.
        channels: number of channels, needed if a parameter is per channel; 1: it is one for all, as in ``nn.PReLU()``.
        channel_dim: dimension of channels in the input, as torch counts: 1 in (N, C, ...), -1 where they come last.
            By default dimension 1, as for ``nn.PReLU``, or the last one where that alone has ``channels`` entries.
        plain: use the plain form always.
        device: of the parameters.
        dtype: of the parameters; the input's may be another.

    The input is a floating point tensor. The output has its shape, dtype and memory format, under autocast too. A
    parameter that is one for the layer has the shape (1,), one per channel (channels,). A gate, whose expression has
    ``z``, is called with two inputs of one shape.

    Raises:
        ExpressionError: the expression has statistics, see
            :class:`primitives.layers.norm_activation.NormActivation`, or is ``layers(...)``; a parameter is per
            channel and ``channels`` is not given, has a name that ``nn.Module`` uses, or an initial value that its
            type does not hold. On call: the input is not floating point or has another number of channels; or it has
            three dimensions, ``channel_dim`` is not given, and either could be it.
    """

    def __init__(
        self,
        expression: Expression,
        channels: int | None = None,
        *,
        channel_dim: int | None = None,
        plain: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(expression, channels, channel_dim, device, dtype)
        if expression.has_statistics:
            raise ExpressionError(f"{self._text} has statistics; make it with NormActivation(...)")
        self.plain = plain
        self._form = plain_form(as_builtin(expression))

    def forward(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """The activation of ``x``, elementwise: the same shape, dtype and device.

        Raises:
            ExpressionError: ``x`` is not floating point, or has another number of channels, or either of two
                dimensions could be that of channels; or ``z`` is missing, of another shape, or not wanted.
        """
        values = [*self._second(x, z), *(self._value(p, x) for p in self.expression.parameters)]
        # there is no public way to ask for forward mode; it has levels from 0 on
        if self.plain or torch.compiler.is_exporting() or forward_ad._current_level >= 0 or x.is_meta:
            return self._form(x, values)
        if torch.compiler.is_compiling():
            return self._form.traced(x, values)
        return pointwise(self._form.expression, x, values)
