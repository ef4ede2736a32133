"""Inputs of two to five dimensions with 4 channels in either place, and where each form must find them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """``dim`` is that of the channels, counted from the last one; None: the input is refused."""

    shape: tuple[int, ...]
    dim: int | None
    channel_dim: int | None = None

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape))}, {self.channel_dim}"


CASES = (
    Case((4,), -1),
    Case((3, 4), -1),
    Case((4, 4), -1),
    Case((4, 3), -2, channel_dim=0),
    Case((2, 4, 5), -2),
    Case((2, 5, 4), -1),
    Case((2, 4, 4), -2, channel_dim=1),
    Case((2, 4, 4), -1, channel_dim=-1),
    Case((2, 4, 4), -1, channel_dim=2),
    Case((2, 4, 3, 5), -3),
    Case((2, 3, 5, 4), -1),
    Case((2, 4, 5, 4), -3),
    Case((2, 4, 5, 4), -1, channel_dim=-1),
    Case((2, 4, 4, 4), -2, channel_dim=-2),
    Case((2, 4, 3, 5, 2), -4),
    Case((2, 3, 5, 2, 4), -1),
    Case((2, 4, 4, 4, 4), -4),
    Case((2, 4, 4, 4, 4), -1, channel_dim=4),
    Case((2, 4, 4), None),
    Case((2, 3, 5), None),
    Case((3, 5), None),
    Case((2, 4, 5), None, channel_dim=-1),
    Case((2, 4, 5), None, channel_dim=4),
    Case((2, 4, 5), None, channel_dim=-4),
    Case((2, 3, 4, 5), None),
)
TEXT = "x*sigmoid(beta*x)+a*x; beta=1.5:channel, a=0.5"
BETAS = (0.0, 1.0, 2.0, 3.0)
