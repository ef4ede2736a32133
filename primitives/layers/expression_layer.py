"""What layers of an expression have in common: parameters, checks of what they are given, a text."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from primitives.errors import ExpressionError
from primitives.expression.expression import MAX_SIZE, Expression
from primitives.expression.parameters import Parameter
from primitives.operators.axes import Axes, channel_axis
from primitives.operators.operator import LAYERS


class ExpressionLayer(nn.Module):
    """A layer that applies one expression, whose parameters it holds; see its subclasses.

    Args:
        expression: the formula.
        channels: number of channels, needed if a parameter is per channel; 1: it is one for all.
        channel_dim: dimension of channels in the input, as torch counts.
        device: of the parameters.
        dtype: of the parameters.

    Raises:
        ExpressionError: the expression is ``layers(...)``; a parameter is per channel and ``channels`` is not given,
            has a name that ``nn.Module`` uses, or an initial value that its type does not hold.
    """

    def __init__(
        self,
        expression: Expression,
        channels: int | None,
        channel_dim: int | None,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        if not isinstance(expression, Expression):
            raise ExpressionError(f"expected an expression, as from parse(...), got {type(expression).__name__}")
        if channels is not None and (not isinstance(channels, int) or channels < 1):
            raise ExpressionError(f"channels is a whole number above 0, got {channels!r}")
        if channel_dim is not None and not isinstance(channel_dim, int):
            raise ExpressionError(f"channel_dim is a whole number, as 1 or -1, got {channel_dim!r}")
        if expression.op == LAYERS:
            raise ExpressionError(
                f"{expression.text}: expected the function of one place; make a layer of each of expression.parts, "
                "or use replace(model, ...), which fills the places in order"
            )
        self.expression = expression
        self.channels, self.channel_dim = channels, channel_dim
        # for messages: torch.compile cannot trace what computes it, and derivatives can be too long for one
        self._text = expression.text if expression.size <= MAX_SIZE else f"expression of {expression.size} nodes"
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

    def _second(self, x: Tensor, z: Tensor | None) -> list[Tensor]:
        """The second input, if the expression takes one; both inputs are checked."""
        if not x.is_floating_point():
            raise ExpressionError(f"{self._text}: expected a floating point input, got {x.dtype}")
        if "z" not in self.expression.inputs:
            if z is not None:
                raise ExpressionError(f"{self._text}: expected one input, got a second one; the expression has no z")
            return []
        if z is None:
            raise ExpressionError(f"{self._text}: expected two inputs, x and z, got one")
        if z.shape != x.shape:
            raise ExpressionError(f"{self._text}: expected z of the shape of x, {tuple(x.shape)}, got {tuple(z.shape)}")
        return [z]

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
