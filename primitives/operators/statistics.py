"""Statistics: operators that reduce named axes of a tensor, such as ``mean_np``, the mean over examples and positions.

Rows are named ``mean var std rms sum max``, an underscore and an index set, see :data:`INDEX_SETS`. ``var`` is biased,
as in normalisation layers; ``std`` and ``rms`` add 1e-5 below the root, as torch's layers do. Every dimension stays,
with one entry. What a statistic is taken over, and the argument has not, changes nothing; a ``var`` is then 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from primitives.operators.axes import INDEX_SETS, Axes

_Value = Tensor | float


@dataclass(frozen=True, slots=True)
class Statistic:
    """The kernel of one statistic.

    Args:
        letters: its index set.
        reduce: torch's function of a tensor, dimensions and ``keepdim``.
        of_one: what it is of one number.
    """

    letters: str
    reduce: Callable[[Tensor, list[int], bool], Tensor]
    of_one: Callable[[_Value], _Value]

    def __call__(self, a: _Value, axes: Axes) -> _Value:
        """The statistic of ``a``, in its dtype; dimensions that it is taken over have one entry, or a group's."""
        if not isinstance(a, Tensor):
            return self.of_one(a)
        if "g" in self.letters and axes.channels is not None and -axes.channels <= a.dim():
            return self._of_groups(a, axes, axes.channels)
        dims = [dim for dim in axes.over(self.letters.replace("g", "")) if -dim <= a.dim()]
        return self.reduce(a, dims, True) if dims else self.of_one(a)

    def _of_groups(self, a: Tensor, axes: Axes, at: int) -> Tensor:
        """The same number for all channels of a group."""
        size = axes.group(a.shape[at])
        split = a.unflatten(at, (a.shape[at] // size, size))
        positions = [dim if dim > at else dim - 1 for dim in axes.over("p") if -dim <= a.dim()]
        value = self.reduce(split, [at, *positions], True)
        shape = list(value.shape)
        shape[at] = size
        return value.expand(shape).flatten(at - 1, at)


def _variance(a: Tensor, dims: list[int], keepdim: bool) -> Tensor:
    # torch.var takes ten times as long on a CPU, and twice with the gradient
    centred = a - a.mean(dim=dims, keepdim=True)
    return (centred * centred).mean(dim=dims, keepdim=keepdim)


def _same(value: _Value) -> _Value:
    return value


def _nothing(value: _Value) -> _Value:
    return value * 0.0


def _of_torch(function: Callable[..., Any], a: Tensor, dims: list[int], keepdim: bool) -> Tensor:
    result: Tensor = function(a, dim=dims, keepdim=keepdim)
    return result


_KERNELS: dict[str, tuple[Callable[[Tensor, list[int], bool], Tensor], Callable[[_Value], _Value]]] = {
    "mean": (partial(_of_torch, torch.mean), _same),
    "var": (_variance, _nothing),
    "sum": (partial(_of_torch, torch.sum), _same),
    "max": (partial(_of_torch, torch.amax), _same),
}

#: Name, index set and kernel of each statistic that is computed as such.
STATISTICS = tuple(
    (f"{name}_{letters}", letters, Statistic(letters, reduce, of_one))
    for name, (reduce, of_one) in _KERNELS.items()
    for letters in INDEX_SETS
)
#: Name, index set and formula of those that are made of these; each formula uses its argument once.
MOMENTS = tuple(
    (f"{name}_{letters}", letters, formula.format(letters))
    for name, formula in (("std", "sqrt(var_{}(a)+1e-5)"), ("rms", "sqrt(mean_{}(a**2)+1e-5)"))
    for letters in INDEX_SETS
)
