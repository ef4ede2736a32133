"""What controls are called where people read of them."""

from __future__ import annotations

from collections.abc import Iterable

#: The control of a task whose candidates are compared with the user's network as it stands, and of all others.
CURRENT, RELU = "current", "relu"
_LABELS = {"current": "the current network", "relu": "ReLU", "gelu": "GELU", "silu": "SiLU"}


def label_of(control: str) -> str:
    """A control's name for people; one of the user's own is called what the config calls it."""
    return _LABELS.get(control, control)


def listed(controls: Iterable[str]) -> str:
    """Several in a sentence: ``"ReLU, GELU and SiLU"``."""
    *first, last = map(label_of, controls)
    return f"{', '.join(first)} and {last}" if first else last
