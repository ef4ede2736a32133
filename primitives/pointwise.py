"""The fused form: an autograd function that keeps the input alone and knows its own derivatives.

A stored derivative would give a silently wrong second derivative; here the backward pass is the same function at
the symbolic derivative, so that it can be differentiated again, to any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from primitives.derivative import derivative
from primitives.evaluation import evaluate
from primitives.expressions import Expression

CHUNK = 32_768  # elements: 128 KiB of float32, so that the temporaries of a formula stay in a core's second-level cache


def pointwise(
    expression: Expression, x: Tensor, parameters: Sequence[Tensor] = (), *, names: tuple[str, ...] | None = None
) -> Tensor:
    """Apply an expression elementwise; differentiable in ``x`` and in the parameters.

    Args:
        expression: the formula.
        x: floating point tensor of any shape.
        parameters: one tensor for each parameter, each broadcasting with ``x``.
        names: the parameters' names, in the same order; by default those of ``expression.parameters``.

    Returns:
        Tensor with the shape and dtype of ``x``, also under autocast.
    """
    names = tuple(p.name for p in expression.parameters) if names is None else names
    result: Tensor = _Pointwise.apply(expression, names, x, *parameters)  # type: ignore[no-untyped-call]
    return result


class _Pointwise(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(expression: Expression, names: tuple[str, ...], x: Tensor, *parameters: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            if parameters or x.numel() <= CHUNK or not x.is_contiguous():
                values = {name: p.to(x.dtype) for name, p in zip(names, parameters, strict=True)}
                result = evaluate((expression,), x, values)[0]
                return result.clone() if result is x else result
            parts = [evaluate((expression,), part, {})[0] for part in x.view(-1).split(CHUNK)]
            return torch.cat(parts).view(x.shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.expression, ctx.names = inputs[:2]
        ctx.save_for_backward(*inputs[2:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, *parameters = ctx.saved_tensors
        slots = ("x", *ctx.names)
        results: list[Tensor | None] = [None, None]
        for index, (by, wanted) in enumerate(zip(slots, (x, *parameters), strict=True)):
            if not ctx.needs_input_grad[index + 2]:
                results.append(None)
                continue
            slope = pointwise(derivative(ctx.expression, by), x, parameters, names=ctx.names)
            results.append((gradient * slope).sum_to_size(wanted.shape).to(wanted.dtype))
        return tuple(results)
