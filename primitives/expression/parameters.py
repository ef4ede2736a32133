"""A learnable parameter of an expression."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameter:
    """A learnable scalar: one per layer, or one per channel of the layer."""

    name: str
    initial: float = 1.0
    per_channel: bool = False
