"""An expression as a layer: ``Activation`` holds its parameters, ``replace`` puts it into an existing model."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from primitives.errors import ExpressionError
from primitives.evaluation import evaluate
from primitives.expressions import Expression
from primitives.pointwise import pointwise


def channels_of(x: Tensor) -> int:
    """Number of channels of an input: dimension 1 of 4-D input, else the last one."""
    return x.shape[1] if x.dim() == 4 else x.shape[-1]


def per_channel_shape(value: Tensor, x: Tensor) -> Tensor:
    """Shape a per-channel value ``(..., C)`` for ``x``: channels are dimension 1 of 4-D input, else the last one."""
    return value.view(-1, 1, 1) if x.dim() == 4 and value.dim() == 1 else value


class Activation(nn.Module):
    """An activation layer with real parameters.

    Args:
        expression: the formula.
        channels: number of channels, needed if a parameter is per channel.
        plain: use ordinary torch operators and torch's own derivatives also in eager mode. Under
            ``torch.compile`` and ``torch.export`` they are used anyway.

    The input is a floating point tensor; 4-D input is NCHW, otherwise channels come last. The output has its
    shape and dtype.

    Raises:
        ExpressionError: a parameter is per channel and ``channels`` is not given.
    """

    def __init__(self, expression: Expression, channels: int | None = None, *, plain: bool = False) -> None:
        super().__init__()
        self.expression = expression
        self.channels = channels
        self.plain = plain
        for p in expression.parameters:
            if p.per_channel and channels is None:
                raise ExpressionError(f"{expression.text}: parameter {p.name!r} is per channel; give channels=...")
            shape = (channels or 1,) if p.per_channel else ()
            self.register_parameter(p.name, nn.Parameter(torch.full(shape, p.initial)))

    def reset_parameters(self) -> None:
        """Set the parameters to their initial values."""
        for p in self.expression.parameters:
            nn.init.constant_(self.get_parameter(p.name), p.initial)

    def forward(self, x: Tensor) -> Tensor:
        values = [per_channel_shape(self.get_parameter(p.name), x) for p in self.expression.parameters]
        if self.plain or torch.compiler.is_compiling():
            with torch.autocast(x.device.type, enabled=False):
                named = {p.name: v.to(x.dtype) for p, v in zip(self.expression.parameters, values, strict=True)}
                return evaluate((self.expression,), x, named)[0]
        return pointwise(self.expression, x, values)

    def extra_repr(self) -> str:
        return self.expression.text


def replace(
    model: nn.Module, old: type[nn.Module] | tuple[type[nn.Module], ...], new: Expression | Callable[[], nn.Module]
) -> int:
    """Replace every module of a type, in place; each place gets an instance of its own.

    Args:
        model: any module; the model itself is not replaced, only what it contains.
        old: type or types to look for, as in ``isinstance``.
        new: an expression without per-channel parameters, or a function that makes a module.

    Returns:
        The number of places that were replaced; a module used at two places counts once and stays shared.
    """
    make = new if not isinstance(new, Expression) else lambda: Activation(new)
    made: dict[nn.Module, nn.Module] = {}
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if path and isinstance(module, old):
            made.setdefault(module, make())
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, made[module])
    return len(made)
