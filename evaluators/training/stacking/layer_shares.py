"""Layers with statistics and gates on their slices: ordinary operators, of which torch knows the derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce

import torch
from torch import Tensor

from evaluators.errors import EvaluationError
from evaluators.training.stacking.layout import Layout, Share, shaped
from evaluators.training.stacking.pointwise_shares import Stacked, apply, stacked_once
from primitives.expression.evaluation import Program, compiled
from primitives.expression.expression import Expression
from primitives.layers.pointwise import pointwise
from primitives.layers.population import population
from primitives.operators.axes import Axes

#: By the number of a share its statistics over examples, in their order: (slices,), or (slices, C) per channel.
Statistics = Mapping[int, tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class LayerShares:
    """The function of an activation slot where a candidate is no function of one number.

    How a share is computed depends on that share alone, or its bits would depend on its company.

    Args:
        layout: who owns which slices.
        axes: of an input of one slice.
        values: of the parameters, in the order of the layout.
        statistics: over examples, for evaluation; None: those of the batch.
        noted: where the statistics of each batch are put down, or None.
        once: no second derivative is asked for.
    """

    layout: Layout
    axes: Axes
    values: tuple[Tensor, ...]
    statistics: Statistics | None = None
    noted: list[Statistics] | None = None
    once: bool = False

    def __call__(self, x: Tensor, *second: Tensor) -> tuple[Tensor]:
        """The outputs for stacked inputs, shape (N, batch, ...)."""
        noted: dict[int, tuple[Tensor, ...]] = {}
        sections = self.layout.sections(self.values)
        pieces = [self._of(number, x, second, own, noted) for number, own in enumerate(sections)]
        if self.noted is not None:
            self.noted.append(noted)
        return (torch.cat(pieces),)

    def _of(
        self, number: int, x: Tensor, second: tuple[Tensor, ...], own: dict[str, Tensor],
        noted: dict[int, tuple[Tensor, ...]],
    ) -> Tensor:  # fmt: skip
        share = self.layout.shares[number]
        here = slice(share.start, share.stop)
        if share.expression.is_pointwise:
            part = x[here].contiguous()
            function = stacked_once(part) if self.once and torch.is_grad_enabled() else Stacked
            return apply(function, self.layout.alone(number), self.axes, part, *own.values())
        if "z" in share.expression.inputs and not second:
            raise EvaluationError(f"{share.expression.text}: expected a place with two inputs, x and z, got one")
        values = {name: shaped(value, x.dim(), self.axes) for name, value in own.items()}
        values |= {name: other[here] for name, other in zip(("z",), second, strict=False)}
        if not share.expression.has_statistics:
            operands = [values[name].to(x.dtype) for name in share.expression.operands]
            return _scaled(pointwise(share.expression, x[here], operands), share)
        return self._with_statistics(number, x[here], values, noted)

    def _with_statistics(
        self, number: int, x: Tensor, values: dict[str, Tensor], noted: dict[int, tuple[Tensor, ...]]
    ) -> Tensor:
        share = self.layout.shares[number]
        if self.axes.dims < 2:
            raise EvaluationError(
                f"{share.expression.text}: expected an input (examples, channels, ...), got one number"
            )
        found = population(share.expression)
        root, extra = share.expression, found.statistics if self.noted is not None else ()
        if self.statistics is not None and found.running:
            root = found.form
            pairs = zip(found.running, self.statistics[number], strict=True)
            values |= {p.name: shaped(value, x.dim(), self.axes) for p, value in pairs}
        wide = torch.promote_types(x.dtype, torch.float32)
        with torch.autocast(x.device.type, enabled=False):
            named = {name: value.to(wide) for name, value in values.items()}
            value, *statistics = _program((root, *extra), self.axes, wide).run(x.to(wide), named)
        per_channel = [p.per == "channel" for p in found.running]
        noted[number] = tuple(
            self.axes.picked(statistic, per_channel=each)
            for statistic, each in zip(statistics, per_channel, strict=False)
        )
        return _scaled(value.to(x.dtype), share)


def mean_statistics(noted: Sequence[Statistics]) -> Statistics:
    """The means of what was put down of some batches."""
    # one after the other: a sum over their dimension adds in an order that depends on the width
    totals = {number: zip(*(each[number] for each in noted), strict=True) for number in noted[0]}
    return {number: tuple(reduce(torch.add, rows) / len(noted) for rows in of) for number, of in totals.items()}


def _scaled(value: Tensor, share: Share) -> Tensor:
    return value if share.factor == 1.0 else value * share.factor


@lru_cache(maxsize=256)
def _program(roots: tuple[Expression, ...], axes: Axes, dtype: torch.dtype) -> Program:
    return compiled(roots, axes, pairs=roots[0].is_paired).typed(dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Pullback:
    """The vector-Jacobian product of a function of tensors, a function again: of its inputs and upstream gradients."""

    function: LayerShares | Pullback
    inputs: int

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Gradients of the inputs."""
        inner = self.function
        function = replace(inner, once=False, noted=None) if isinstance(inner, LayerShares) else inner
        pull = torch.func.vjp(function, *tensors[: self.inputs])[1]
        return tuple(pull(tuple(tensors[self.inputs :])))
