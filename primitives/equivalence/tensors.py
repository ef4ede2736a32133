"""Fixed tensors for what is no function of one number: layers with statistics, and gates.

Two inputs of 6 examples, 8 channels and 3 x 3 positions. Channels and examples of the first have means and spreads of
their own, so that statistics over other axes are other numbers. Groups of channels have 4, so that a group is neither a
channel nor an example.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from primitives.equivalence.canonical import canonical
from primitives.expression.evaluation import compiled
from primitives.expression.expression import Expression
from primitives.operators.axes import Axes

Array = NDArray[np.float64]

_SHAPE = (6, 8, 3, 3)
_AXES = Axes(-3, 4, per_group=4)
#: How wide the second look is: the factors of both inputs.
SCALES = (0.1, 5.0, 30.0)


@cache
def tensors() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The two inputs, an upstream gradient for derivatives, all float64, and a factor of each channel, (8,)."""
    draw = np.random.Generator(np.random.PCG64(0))
    normal, (examples, channels) = draw.standard_normal, _SHAPE[:2]
    each = (1, channels, 1, 1)
    x = normal(_SHAPE) * np.exp(0.5 * normal(each)) + normal(each) + 0.5 * normal((examples, 1, 1, 1))
    z, upstream = normal(_SHAPE) + 0.3, normal(_SHAPE)
    of_channels = draw.uniform(0.7, 1.3, channels)
    return torch.from_numpy(x), torch.from_numpy(z), torch.from_numpy(upstream), torch.from_numpy(of_channels)


def outputs_at_tensors(expression: Expression, settings: Sequence[tuple[float, float]], scale: float = 1.0) -> Array:
    """Outputs at the fixed tensors times a scale, a row for each setting of the parameters: factor and offset.

    Without parameters there is one row. A parameter per channel differs between channels.
    """
    form = canonical(expression)
    x, z, _, _ = tensors()
    rows = [_run(form, scale * x, scale * z, _values(form, setting)) for setting in _used(form, settings)]
    array: Array = torch.stack(rows).flatten(1).numpy()
    array.setflags(write=False)
    return array


def slopes_at_tensors(expression: Expression, settings: Sequence[tuple[float, float]], scale: float = 1.0) -> Array:
    """Gradients of both inputs there, for the fixed upstream gradient, a row for each setting of the parameters."""
    form = canonical(expression)
    x, z, upstream, _ = tensors()
    rows = []
    for setting in _used(form, settings):
        x_, z_ = (scale * x).requires_grad_(), (scale * z).requires_grad_()
        value = _run(form, x_, z_, _values(form, setting), pairs=True)
        rows.append(torch.cat(torch.autograd.grad(value, (x_, z_), upstream, materialize_grads=True), dim=0))
    array: Array = torch.stack(rows).flatten(1).numpy()
    array.setflags(write=False)
    return array


def _used(form: Expression, settings: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    return settings if form.is_learnable else settings[:1]


def _values(form: Expression, setting: tuple[float, float]) -> dict[str, Tensor]:
    """A value of each parameter, by its order: of one per channel another one in each."""
    factor, offset = setting
    values = {}
    for number, p in enumerate(form.parameters):
        value = torch.tensor(factor * p.initial + offset * (1 + number), dtype=torch.float64)
        of_channels = tensors()[3].roll(number)
        values[p.name] = _AXES.shaped(of_channels * value) if p.per == "channel" else value
    return values


def _run(form: Expression, x: Tensor, z: Tensor, values: dict[str, Tensor], *, pairs: bool = False) -> Tensor:
    return compiled((form,), _AXES, pairs=pairs).run(x, values | {"z": z})[0]
