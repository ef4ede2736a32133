"""The fused form: an autograd function that keeps the input alone and knows its own derivatives.

A stored derivative would give a silently wrong second derivative; here the backward pass is the same function at
the symbolic derivative, so that it can be differentiated again, to any order. Large inputs on a CPU go through the
formula in parts that stay in cache, forward and backward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from primitives.equivalence.builtin import DIFFERENTIABLE
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import Program, compiled, evaluate
from primitives.expression.expression import Expression, parameter
from primitives.layers.parts import goes_in_parts, parts
from primitives.operators.table import forward_of

_GRADIENT = parameter("gradient")


def pointwise(
    expression: Expression, x: Tensor, parameters: Sequence[Tensor] = (), *, names: tuple[str, ...] | None = None
) -> Tensor:
    """Apply an expression elementwise; differentiable in ``x`` and in the parameters.

    Args:
        expression: the formula.
        x: floating point tensor of any shape.
        parameters: one tensor for each parameter, each broadcasting with ``x``; of a gate ``z`` comes first.
        names: their names, in the same order; by default ``expression.operands``.

    Returns:
        Tensor with the shape and dtype of ``x``, also under autocast.
    """
    if expression.op in DIFFERENTIABLE and expression.args[0].op == "x":
        with torch.autocast(x.device.type, enabled=False):
            return forward_of(expression.op)(x)
    names = expression.operands if names is None else names
    result: Tensor = _Pointwise.apply(expression, names, x, *parameters)  # type: ignore[no-untyped-call]
    return result


class _Pointwise(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(expression: Expression, names: tuple[str, ...], x: Tensor, *parameters: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            values = {name: p.to(x.dtype) for name, p in zip(names, parameters, strict=True)}
            if _is_one_operator(expression) or not goes_in_parts(x, parameters):
                result = evaluate((expression,), x, values)[0]
                return result.clone() if any(result is t for t in (x, *values.values())) else result
            program, result = _program((expression,), x.dtype), torch.empty_like(x)
            for part, out in parts((x, result), parameters):
                out.copy_(program.run(part, values)[0])
            return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.expression, ctx.names = inputs[:2]
        ctx.save_for_backward(*inputs[2:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, *parameters = ctx.saved_tensors
        inputs = dict(zip(("x", *ctx.names), (x, *parameters), strict=True))
        wanted = [wrt for wrt, needed in zip(inputs, ctx.needs_input_grad[2:], strict=True) if needed]
        slopes = {wrt: derivative(ctx.expression, wrt) for wrt in wanted}
        if torch.is_grad_enabled():
            gradients = {wrt: gradient * pointwise(f, x, parameters, names=ctx.names) for wrt, f in slopes.items()}
        elif _is_one_operator(ctx.expression):
            product = derivative(ctx.expression, times=_GRADIENT)
            gradients = {"x": evaluate((product,), x, {"gradient": gradient})[0]}
        elif goes_in_parts(x, parameters):
            gradients = _gradients_in_parts(slopes, inputs, gradient)
        else:
            values = {wrt: t.to(x.dtype) for wrt, t in inputs.items() if wrt != "x"}
            slopes_at = evaluate(tuple(slopes.values()), x, values)
            gradients = {wrt: gradient * slope for wrt, slope in zip(slopes, slopes_at, strict=True)}
        return None, None, *(_summed(gradients[wrt], t) if wrt in gradients else None for wrt, t in inputs.items())


def _is_one_operator(expression: Expression) -> bool:
    return expression.size == 2 and expression.args[0].op == "x"


def _summed(gradient: Tensor, like: Tensor) -> Tensor:
    """A gradient in the shape and dtype of its input."""
    return gradient.sum_to_size(like.shape).to(like.dtype)


def _gradients_in_parts(
    slopes: Mapping[str, Expression], inputs: Mapping[str, Tensor], gradient: Tensor
) -> dict[str, Tensor]:
    """The gradient times each slope; for parameters summed over the parts, at least in float32."""
    x = inputs["x"]
    wide = torch.promote_types(x.dtype, torch.float32)
    sums = {wrt: torch.empty_like(x) if wrt == "x" else torch.zeros_like(inputs[wrt], dtype=wide) for wrt in slopes}
    with torch.autocast(x.device.type, enabled=False):
        values = {wrt: t.to(x.dtype) for wrt, t in inputs.items() if wrt != "x"}
        program = _program(tuple(slopes.values()), x.dtype)
        for part, incoming, of_x in parts((x, gradient, sums.get("x", x)), tuple(values.values())):
            for wrt, slope in zip(slopes, program.run(part, values), strict=True):
                if wrt == "x":
                    torch.mul(incoming, slope, out=of_x)
                else:
                    sums[wrt] += (incoming * slope).to(wide).sum_to_size(sums[wrt].shape)
    return sums


@lru_cache(maxsize=1024)
def _program(roots: tuple[Expression, ...], dtype: torch.dtype) -> Program:
    return compiled(roots).typed(dtype)
