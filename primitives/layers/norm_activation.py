"""A normalisation-activation layer: an expression with statistics, such as EvoNorm's, as an ordinary module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from primitives.errors import ExpressionError
from primitives.expression.evaluation import Program, compiled
from primitives.expression.expression import Expression
from primitives.expression.parameters import Parameter
from primitives.layers.activation import Activation
from primitives.layers.expression_layer import ExpressionLayer
from primitives.layers.population import population
from primitives.layers.traced import without_autocast
from primitives.operators.axes import Axes, axes_of


@dataclass(frozen=True, slots=True)
class _Programs:
    """Code that torch can trace, without caches and tables of ours; it copies and pickles as its expression.

    Args:
        expression: the formula.
        training: it and the statistics whose averages are kept.
        evaluation: the form of inference.
    """

    expression: Expression
    training: Program
    evaluation: Program

    def __reduce__(self) -> tuple[Callable[[Expression], _Programs], tuple[Expression]]:
        return _programs, (self.expression,)


def _programs(expression: Expression) -> _Programs:
    found, pairs = population(expression), expression.is_paired
    training = compiled((expression, *found.statistics), pairs=pairs)
    return _Programs(expression, training, compiled((found.form,), pairs=pairs))


class NormActivation(ExpressionLayer):
    """A layer whose expression has statistics; what is said of :class:`Activation` holds, but for these.

    It is computed by ordinary torch operators with torch's own derivatives, in float32 where the input has a smaller
    type. In evaluation each statistic over examples is a number of the layer's own, as in ``nn.BatchNorm2d``: training
    keeps the moving averages of those that stand in no other, ``running1, running2, ...`` in the order of reading.
    Statistics are those of one process, whatever other processes train with it.

    Args:
        expression: the formula, with statistics or without.
        channels: number of channels; needed if a parameter or a running statistic is per channel.
        channel_dim: dimension of channels in the input; by default dimension 1, or the last one where that alone has
            ``channels`` entries.
        momentum: of the moving averages; None: the mean of all batches since they were reset.
        track_running_stats: keep moving averages; without, evaluation takes the statistics of the batch.
        device: of parameters and buffers.
        dtype: of parameters and buffers.

    Raises:
        ExpressionError: as for :class:`Activation`. On call: an input has no examples and channels to reduce.
    """

    num_batches_tracked: Tensor

    def __init__(
        self,
        expression: Expression,
        channels: int | None = None,
        *,
        channel_dim: int | None = None,
        momentum: float | None = 0.1,
        track_running_stats: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(expression, channels, channel_dim, device, dtype)
        self.momentum, self.track_running_stats = momentum, track_running_stats
        self._population = population(expression)
        self._programs = _programs(expression)
        if not (self._population.running and track_running_stats):
            return
        for p in self._population.running:
            if p.per == "channel" and channels is None:
                raise ExpressionError(f"{self._text}: a statistic over examples is per channel; give channels=...")
            shape = (channels or 1,) if p.per == "channel" else (1,)
            self.register_buffer(p.name, torch.full(shape, p.initial, device=device, dtype=dtype))
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.int64, device=device))

    def reset_running_stats(self) -> None:
        """Begin the moving averages anew."""
        for p in self._running:
            nn.init.constant_(self.get_buffer(p.name), p.initial)
        if self._running:
            self.num_batches_tracked.zero_()

    def forward(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """The layer's output, in the shape, dtype and device of ``x``, (examples, channels, ...) or as declared.

        Raises:
            ExpressionError: ``x`` is not floating point, has one dimension, or another number of channels; or is empty
                in training; or ``z`` is missing, of another shape, or not wanted.
        """
        values = [*self._second(x, z), *(self._value(p, x) for p in self.expression.parameters)]
        axes, wide = self._axes(x), torch.promote_types(x.dtype, torch.float32)
        given = {name: value.to(wide) for name, value in zip(self.expression.operands, values, strict=True)}
        if self._running and not self.training:
            own = {p.name: self.get_buffer(p.name) for p in self._running}
            given |= {name: axes.shaped(value).to(wide) for name, value in own.items()}
            return self._run(self._programs.evaluation, x, given, axes)[0]
        follows = self._running and self.training
        if follows and not x.numel():
            raise ExpressionError(f"{self._text}: expected examples to train on, got shape {tuple(x.shape)}")
        value, *statistics = self._run(self._programs.training, x, given, axes)
        if follows:
            self._follow(statistics, axes)
        return value

    def _run(self, program: Program, x: Tensor, given: dict[str, Tensor], axes: Axes) -> list[Tensor]:
        """Values of a program, the first in the type of ``x``, the others as wide as they were computed."""
        with without_autocast(x):
            first, *others = program.run(x.to(torch.promote_types(x.dtype, torch.float32)), given, axes)
        return [first.to(x.dtype), *others]

    @property
    def _running(self) -> tuple[Parameter, ...]:
        return self._population.running if self.track_running_stats else ()

    @torch.no_grad()
    def _follow(self, statistics: list[Tensor], axes: Axes) -> None:
        """Move the averages towards the statistics of a batch."""
        self.num_batches_tracked.add_(1)
        share = 1.0 / self.num_batches_tracked.double() if self.momentum is None else self.momentum
        for p, statistic in zip(self._running, statistics, strict=True):
            value = self.get_buffer(p.name)
            own = axes.picked(statistic.detach(), per_channel=p.per == "channel").to(value.dtype)
            value.add_(share * (own.reshape(value.shape) - value))

    def _axes(self, x: Tensor) -> Axes:
        if x.dim() < 2:
            raise ExpressionError(
                f"{self._text}: expected an input (examples, channels, ...), got one of shape {tuple(x.shape)}"
            )
        try:
            return axes_of(x.shape, self.channels, self.channel_dim)
        except ValueError as error:
            raise ExpressionError(f"{self._text}: {error}") from None


def layer_of(
    expression: Expression,
    channels: int | None = None,
    *,
    channel_dim: int | None = None,
    device: torch.device | str | None = None,
) -> ExpressionLayer:
    """The layer of an expression: with statistics a :class:`NormActivation`, else an :class:`Activation`."""
    kind = NormActivation if expression.has_statistics else Activation
    return kind(expression, channels, channel_dim=channel_dim, device=device)
