"""Fixed tensors for what is no function of one number: layers with statistics, and gates.

Two inputs of 6 examples, 8 channels and 3 x 3 positions. Channels and examples of the first have means and spreads of
their own, so that statistics over other axes are other numbers. Groups of channels have 4, so that a group is neither a
channel nor an example. The wide look has two more of other sizes, where a sum is another multiple of the mean.
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

Shape = tuple[int, int, int, int]
NEAR: Shape = (6, 8, 3, 3)
WIDE: Shape = (3, 12, 3, 4)  # as many numbers, and other counts of all that statistics are taken over
_AXES = Axes(-3, 4, per_group=4)
#: Of the parameters: a factor of the initial value, and an offset.
Settings = Sequence[tuple[float, float]]
#: How wide the second look is: the factors of both inputs.
SCALES = (0.1, 5.0, 30.0)


@cache
def tensors(shape: Shape = NEAR) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The two inputs, an upstream gradient for derivatives, all float64, and a factor of each channel, (channels,)."""
    draw = np.random.Generator(np.random.PCG64(0))
    normal, (examples, channels) = draw.standard_normal, shape[:2]
    each = (1, channels, 1, 1)
    x = normal(shape) * np.exp(0.5 * normal(each)) + normal(each) + 0.5 * normal((examples, 1, 1, 1))
    z, upstream = normal(shape) + 0.3, normal(shape)
    of_channels = draw.uniform(0.7, 1.3, channels)
    return torch.from_numpy(x), torch.from_numpy(z), torch.from_numpy(upstream), torch.from_numpy(of_channels)


def outputs_at_tensors(expression: Expression, settings: Settings, scale: float = 1.0, shape: Shape = NEAR) -> Array:
    """Outputs at the fixed tensors times a scale, a row for each setting of the parameters: factor and offset.

    Without parameters there is one row. A parameter per channel differs between channels.
    """
    form = canonical(expression)
    x, z, _, of_channels = tensors(shape)
    return _rows(_run(form, scale * x[None], scale * z[None], _values(form, settings, of_channels)))


def slopes_at_tensors(expression: Expression, settings: Settings, scale: float = 1.0, shape: Shape = NEAR) -> Array:
    """Gradients of both inputs there, for the fixed upstream gradient, a row for each setting of the parameters."""
    form = canonical(expression)
    rows = len(settings) if form.is_learnable else 1
    *fixed, of_channels = tensors(shape)
    x, z, upstream = ((scale * each).expand(rows, *shape) for each in fixed)
    leaves = (x.clone().requires_grad_(), z.clone().requires_grad_())
    value = _run(form, *leaves, _values(form, settings, of_channels), pairs=True)
    return _rows(torch.cat(torch.autograd.grad(value, leaves, upstream, materialize_grads=True), dim=1))


def _rows(values: Tensor) -> Array:
    array: Array = values.flatten(1).numpy()
    array.setflags(write=False)
    return array


def _values(form: Expression, settings: Settings, factors: Tensor) -> dict[str, Tensor]:
    """Values of each parameter, by its order, one for each setting: of one per channel another one in each."""
    values = {}
    for number, p in enumerate(form.parameters):
        value = torch.tensor([a * p.initial + b * (1 + number) for a, b in settings], dtype=torch.float64)
        of_channels = factors.roll(number) if p.per == "channel" else value.new_ones(1)
        values[p.name] = (value[:, None] * of_channels)[:, None, :, None, None]
    return values


def _run(form: Expression, x: Tensor, z: Tensor, values: dict[str, Tensor], *, pairs: bool = False) -> Tensor:
    return compiled((form,), _AXES, pairs=pairs).run(x, values | {"z": z})[0]
