"""Dropout with one mask for each seed, layer and step, the same for all candidates and however models are stacked.

vmap's own randomness depends on the width of a stack. Here a mask comes from the seed, the layer's name and the step,
so that a candidate loses what its control loses; a stack draws it once a seed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from evaluators.seeds import torch_generator
from primitives.layers.in_place import InPlace

_ELEMENTS = (nn.Dropout, nn.AlphaDropout)
_CHANNELS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout)
_ALPHA = (nn.AlphaDropout, nn.FeatureAlphaDropout)
ALPHA = 1.0507009873554805 * 1.6732632423543772  # SELU's scale times its alpha: what it saturates to, negated


@dataclass(slots=True)
class Masks:
    """What the dropout layers of a network, or of a stack of it, draw from.

    Args:
        seeds: all seeds.

    Attributes:
        rows: for each slice the number of its seed; of a lone model, None.
        batch: number of the batch.
        calls: of each layer in this batch, by name.
    """

    seeds: Sequence[int]
    rows: Tensor | None = None
    batch: int = 0
    calls: Counter[str] = field(default_factory=Counter)

    def begin(self, batch: int, rows: Tensor | None = None) -> None:
        """Count calls anew: before a batch's forward pass, and after it, for what the backward pass repeats."""
        self.batch, self.rows = batch, rows
        self.calls.clear()


class SeededDropout(nn.Module):
    """Stands where a dropout layer of torch was; ``masks`` belongs to the network, not to the state.

    Called several times in one step, it draws a mask each time. A call that gradient checkpointing repeats after the
    step's forward pass gets the mask of its number there again.
    """

    marker: Tensor

    def __init__(self, kind: type[nn.Module], p: float, path: str, masks: Masks) -> None:
        super().__init__()
        self.p, self.path, self.masks = p, path, masks
        self.whole_channels, self.alpha = issubclass(kind, _CHANNELS), issubclass(kind, _ALPHA)
        self.register_buffer("marker", torch.zeros((), device="cpu"), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` with elements, or channels, dropped as torch does."""
        if not self.training or self.p == 0.0:
            return x
        number = self.masks.calls[self.path]
        self.masks.calls[self.path] += 1
        factor, shift = _Noise.apply(self, number, x.detach(), self.marker)  # type: ignore[no-untyped-call]
        with torch._C.DisableTorchFunction():  # or a gate of the module around would count this product as its own
            dropped: Tensor = x * factor + shift if self.alpha else x * factor
        return dropped

    def drawn(self, number: int, x: Tensor, seeds: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """Factor and shift of each seed, in the shape that meets one model's ``x``."""
        return [self._of_seed(number, x, seed) for seed in seeds]

    def _of_seed(self, number: int, x: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        shape = (*x.shape[:2], *[1] * (x.dim() - 2)) if self.whole_channels else x.shape
        generator = torch_generator(seed, "dropout", self.path, self.masks.batch, number)
        kept = torch.empty(shape, device="cpu").bernoulli_(1.0 - self.p, generator=generator).to(x)
        if not self.alpha:
            return kept / (1.0 - self.p) if self.p < 1.0 else kept, torch.zeros((), dtype=x.dtype, device=x.device)
        a = 1.0 / math.sqrt((ALPHA**2 * self.p + 1.0) * (1.0 - self.p)) if self.p < 1.0 else 0.0
        return kept * a, (kept - 1.0) * (ALPHA * a) + ALPHA * a * self.p


class _Noise(torch.autograd.Function):
    """Factor and shift of dropout: those of one model outside the stack, of all slices where the marker is stacked."""

    @staticmethod
    def forward(layer: SeededDropout, number: int, x: Tensor, marker: Tensor) -> tuple[Tensor, Tensor]:
        (seed,) = layer.masks.seeds
        return layer.drawn(number, x, [seed])[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, ...]:
        return None, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, layer: SeededDropout, number: int, x: Tensor, marker: Tensor) -> Any:
        x_dim, marker_dim = in_dims[2:]
        if marker_dim is None or layer.masks.rows is None:
            raise RuntimeError("dropout within a vmap of the network's own")
        one = x if x_dim is None else x.movedim(x_dim, 0)[0]
        pairs = layer.drawn(number, one, layer.masks.seeds)
        factors, shifts = (torch.stack(column)[layer.masks.rows] for column in zip(*pairs, strict=True))
        return (factors, shifts), (0, 0)


def put_dropout(network: nn.Module, seeds: Sequence[int]) -> Masks:
    """Put seeded layers where a network has torch's dropout layers, in place; return what they draw from."""
    masks = Masks(seeds)
    for path, module in list(network.named_modules(remove_duplicate=False)):
        if type(module) in (*_ELEMENTS, *_CHANNELS) and path:
            parent, _, name = path.rpartition(".")
            layer = SeededDropout(type(module), module.p, path, masks)
            layer.train(module.training)
            setattr(network.get_submodule(parent), name, InPlace(layer) if module.inplace else layer)
    return masks
