"""An expression as a layer, which holds its parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from primitives.equivalence.builtin import as_builtin
from primitives.errors import ExpressionError
from primitives.expression.expression import MAX_SIZE, Expression
from primitives.expression.parameters import Parameter
from primitives.layers.axes import Axes, channel_axis
from primitives.layers.pointwise import pointwise
from primitives.layers.traced import plain_form


class Activation(nn.Module):
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
    parameter that is one for the layer has the shape (1,), one per channel (channels,).

    Raises:
        ExpressionError: a parameter is per channel and ``channels`` is not given, has a name that ``nn.Module`` uses,
            or an initial value that its type does not hold. On call: the input is not floating point or has another
            number of channels; or it has three dimensions, ``channel_dim`` is not given, and either could be it.
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
        super().__init__()
        if not isinstance(expression, Expression):
            raise ExpressionError(f"expected an expression, as from parse(...), got {type(expression).__name__}")
        if channels is not None and (not isinstance(channels, int) or channels < 1):
            raise ExpressionError(f"channels is a whole number above 0, got {channels!r}")
        if channel_dim is not None and not isinstance(channel_dim, int):
            raise ExpressionError(f"channel_dim is a whole number, as 1 or -1, got {channel_dim!r}")
        self.expression = expression
        self.channels, self.channel_dim = channels, channel_dim
        self.plain = plain
        # for messages: torch.compile cannot trace what computes it, and derivatives can be too long for one
        self._text = expression.text if expression.size <= MAX_SIZE else f"expression of {expression.size} nodes"
        self._form = plain_form(as_builtin(expression))
        for p in expression.parameters:
            if p.per == "channel" and channels is None:
                raise ExpressionError(f"{self._text}: parameter {p.name!r} is per channel; give channels=...")
            if hasattr(self, p.name):
                raise ExpressionError(f"{self._text}: nn.Module uses the name {p.name!r}; rename the parameter")
            shape = (channels or 1,) if p.per == "channel" else (1,)
            self.register_parameter(p.name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the parameters to their initial values."""
        for p in self.expression.parameters:
            value = self.get_parameter(p.name)
            largest = torch.finfo(value.dtype).max
            if abs(p.initial) > largest:
                raise ExpressionError(
                    f"{self._text}: parameter {p.name!r}: expected an initial value of at most {largest:.3g} in size, "
                    f"the largest of {value.dtype}, got {p.initial:g}"
                )
            nn.init.constant_(value, p.initial)

    def forward(self, x: Tensor) -> Tensor:
        """The activation of ``x``, elementwise: the same shape, dtype and device.

        Raises:
            ExpressionError: ``x`` is not floating point, or has another number of channels, or either of two
                dimensions could be that of channels.
        """
        if not x.is_floating_point():
            raise ExpressionError(f"{self._text}: expected a floating point input, got {x.dtype}")
        values = [self._value(p, x) for p in self.expression.parameters]
        # there is no public way to ask for forward mode; it has levels from 0 on
        if self.plain or torch.compiler.is_exporting() or forward_ad._current_level >= 0 or x.is_meta:
            return self._form(x, values)
        if torch.compiler.is_compiling():
            return self._form.traced(x, values)
        return pointwise(self._form.expression, x, values)

    def _value(self, p: Parameter, x: Tensor) -> Tensor:
        """The value of a parameter in the shape that meets ``x``."""
        value: Tensor = getattr(self, p.name)  # get_parameter refuses what torch.func.functional_call puts there
        if p.per != "channel" or self.channels is None:
            return value.squeeze(0)  # (1,) would give an input without dimensions one
        try:
            return Axes(channel_axis(x.shape, self.channels, self.channel_dim)).shaped(value)
        except ValueError as error:
            raise ExpressionError(f"{self._text}: {error}") from None

    def extra_repr(self) -> str:
        """The expression's text, as ``print(model)`` shows it."""
        return self._text
