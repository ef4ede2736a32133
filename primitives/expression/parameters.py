"""A learnable parameter of an expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

#: What has a value of its own: each layer, each channel of each layer, or the network, whose layers share one.
Granularity = Literal["layer", "channel", "network"]
GRANULARITIES: tuple[Granularity, ...] = get_args(Granularity)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A learnable scalar: one per layer, one per channel of each layer, or one for all layers of a network."""

    name: str
    initial: float = 1.0
    per: Granularity = "layer"
