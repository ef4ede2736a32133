"""Drawn weights: the same normals for all candidates of a seed, whatever the network was initialised with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm, _WeightNorm
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

_DRAWN = (
    *(nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)


@dataclass(frozen=True, slots=True)
class _Weight:
    """The weight of a layer.

    Args:
        parts: the parameters that it is made of.
        shape: of the whole.
        fill: writes a whole weight into the parts; None where the one part is the weight.
    """

    parts: tuple[nn.Parameter, ...]
    shape: torch.Size
    fill: Callable[[Tensor], None] | None = None

    @property
    def is_trained(self) -> bool:
        """No part is frozen."""
        return all(part.requires_grad for part in self.parts)


@torch.no_grad()
def draw_weights(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of linear, convolution, transposed convolution and embedding layers, in place.

    They are normal with standard deviation 1/sqrt(n), n the fan in: the inputs that an output is a sum of, in a
    transposed convolution on average; of an embedding its width. Biases are zero, and so is an embedding's row for
    padding. A weight under ``weight_norm`` or ``spectral_norm`` is drawn as a whole and then divided into its parts.
    Frozen parameters stay what they are, shared ones stay one. See :func:`undrawn`.
    """
    for module, weight in _drawn(network):
        deviation = _fan_in(module, weight.shape) ** -0.5
        if weight.fill is None:
            nn.init.normal_(weight.parts[0], std=deviation, generator=generator)
        else:
            like = weight.parts[-1]
            weight.fill(torch.empty(weight.shape, dtype=like.dtype).normal_(std=deviation, generator=generator))
        if isinstance(module, nn.Embedding):
            module._fill_padding_idx_with_zero()
        elif isinstance(bias := module.bias, nn.Parameter) and bias.requires_grad:
            nn.init.zeros_(bias)


def undrawn(network: nn.Module) -> tuple[str, ...]:
    """Names of the parameters of two or more dimensions that :func:`draw_weights` leaves, frozen ones included."""
    drawn = {id(part) for _, weight in _drawn(network) for part in weight.parts}
    named = network.named_parameters()
    return tuple(name for name, weight in named if weight.dim() > 1 and id(weight) not in drawn)


def _drawn(network: nn.Module) -> Iterator[tuple[nn.Module, _Weight]]:
    """The layers whose weights are drawn."""
    for module in network.modules():
        if isinstance(module, _DRAWN) and (weight := _weight_of(module)) and weight.is_trained:
            yield module, weight


def _weight_of(module: nn.Module) -> _Weight | None:
    """A layer's weight; None where a parametrisation cannot be turned round."""
    if is_parametrized(module, "weight"):
        return _parametrised(module)
    own = module._parameters
    if (weight := own.get("weight")) is not None:
        return _Weight((weight,), weight.shape)
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, SpectralNorm) and (original := own.get("weight_orig")) is not None:
            return _Weight((original,), original.shape)
        if isinstance(hook, WeightNorm) and (length := own.get("weight_g")) is not None:
            direction = own["weight_v"]
            assert direction is not None
            return _Weight((length, direction), direction.shape, partial(_fill_normed, module, hook))
    return None


def _parametrised(module: nn.Module) -> _Weight | None:
    """The weight of a layer with one parametrisation of torch's that a weight can be assigned to."""
    steps, weight = module.get_submodule("parametrizations.weight"), module.weight
    assert isinstance(steps, nn.ModuleList) and isinstance(weight, Tensor)
    if len(steps) != 1 or not isinstance(steps[0], _WeightNorm | _SpectralNorm):
        return None
    return _Weight(tuple(steps.parameters(recurse=False)), weight.shape, partial(setattr, module, "weight"))


def _fill_normed(module: nn.Module, hook: WeightNorm, weight: Tensor) -> None:
    """Divide a weight into length and direction, as the older ``weight_norm`` does."""
    length, direction = (module.get_parameter(name) for name in ("weight_g", "weight_v"))
    direction.copy_(weight)
    length.copy_(torch.norm_except_dim(weight, 2, hook.dim))
    module.weight = hook.compute_weight(module)


def _fan_in(module: nn.Module, shape: torch.Size) -> float:
    """How many inputs an output is a sum of; an embedding's width."""
    if isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        return math.prod((shape[0], *shape[2:])) / (module.groups * math.prod(module.stride))
    return math.prod(shape[1:])
