"""Screens of layers with statistics and of gates, at the fixed tensors, by the layer that a network is given."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evaluators.results.reasons import Reason
from primitives.equivalence.tensors import tensors
from primitives.expression.expression import Expression
from primitives.layers.expression_layer import ExpressionLayer
from primitives.layers.norm_activation import layer_of
from primitives.operators.axes import ALL_AXES, mask

SCALES = (1.0, 30.0)  # of the tensors, for what must be finite
LARGEST = torch.finfo(torch.float32).max
FLATTEST, STEEPEST = 1e-4, 1e4  # squares of the gradients over those of the outputs, as chi of a function of one number
_SAME = 1e-9  # of the largest output
_STRAIGHT = 1e-6


def screen_layer(expression: Expression, axes: int = ALL_AXES) -> Reason | None:
    """The first screen that a layer with statistics or a gate fails, or None; at initial parameters.

    It is computed in float64, but for the look at float32. The second input of the test of straightness is the first
    one in another order.

    Args:
        expression: with statistics or ``z``.
        axes: of the inputs of the job's places, a mask; without positions, the tensors are cut to one.
    """
    if "x" not in expression.inputs:
        return Reason.NO_INPUT
    layer, (x, z, upstream) = _layer(expression, torch.float64), _inputs(axes)
    inputs = x.clone().requires_grad_(), z.clone().requires_grad_()
    traced = _output(layer, *inputs)
    y = traced.detach()
    largest = float(y.abs().max())
    if not largest <= LARGEST:  # or NaN
        return Reason.OVERFLOW
    if float(y.max() - y.min()) <= _SAME * max(1.0, largest):
        return Reason.CONSTANT
    if any(_is_lost(y, dim, largest) for dim in range(y.dim())):
        return Reason.LOST_AXIS
    if not finite_in(expression, torch.float32, axes):
        return Reason.OVERFLOW
    if _is_straight(layer, x, z, y):
        return Reason.AFFINE
    slopes = _gradients(traced, inputs, upstream)
    chi = sum(float(slope.square().mean()) for slope in slopes) / float(y.square().mean())
    if not chi >= FLATTEST:
        return Reason.FLAT
    return Reason.STEEP if chi > STEEPEST else None


def finite_in(expression: Expression, dtype: torch.dtype, axes: int = ALL_AXES) -> bool:
    """True if the output and its gradients are finite in a dtype at the fixed tensors, and at 30 times these."""
    layer = _layer(expression, dtype)
    for scale in SCALES:
        x, z, upstream = _inputs(axes)
        inputs = tuple((scale * t).to(dtype).requires_grad_() for t in (x, z))
        y = _output(layer, *inputs)
        if not all(bool(each.isfinite().all()) for each in (y.detach(), *_gradients(y, inputs, upstream.to(dtype)))):
            return False
    return True


def _inputs(axes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Two inputs and an upstream gradient: (6, 8, 3, 3), or (6, 8) for places without positions."""
    x, z, upstream, _ = tensors()
    whole = axes & mask("p")
    return (x, z, upstream) if whole else (x[..., 0, 0], z[..., 0, 0], upstream[..., 0, 0])


def _layer(expression: Expression, dtype: torch.dtype) -> ExpressionLayer:
    layer = layer_of(expression, channels=tensors()[0].shape[1], channel_dim=1, device="cpu")
    return layer.to(dtype).train()


def _output(layer: ExpressionLayer, x: Tensor, z: Tensor) -> Tensor:
    output: Tensor = layer(x, z) if "z" in layer.expression.inputs else layer(x)
    return output


def _gradients(y: Tensor, inputs: Sequence[Tensor], upstream: Tensor) -> tuple[Tensor, ...]:
    if not y.requires_grad:  # as of a sign
        return tuple(torch.zeros_like(each) for each in inputs)
    return torch.autograd.grad(y, inputs, upstream, materialize_grads=True)


def _is_lost(y: Tensor, dim: int, largest: float) -> bool:
    """True if outputs are the same all along a dimension."""
    return float((y.amax(dim) - y.amin(dim)).max()) <= _SAME * max(1.0, largest)


def _is_straight(layer: ExpressionLayer, x: Tensor, z: Tensor, y: Tensor) -> bool:
    """True if the layer maps the middle of two inputs, x and z together, to the middle of their outputs."""
    with torch.no_grad():
        other_x, other_z = -x.flip(0), z.flip(1)
        middle = _output(layer, (x + other_x) / 2, (z + other_z) / 2)
        expected = (y + _output(layer, other_x, other_z)) / 2
        return float((middle - expected).abs().max()) <= _STRAIGHT * float(y.max() - y.min())
