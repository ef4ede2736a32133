"""What controls are called where people read of them."""

from __future__ import annotations

from collections.abc import Container, Iterable

#: The control of a task whose candidates are compared with the user's network as it stands, and of all others.
CURRENT, RELU = "current", "relu"
#: The built-in controls by the kind of a task's places, the reference first; the last ones where there are several.
FAMILIES = (
    (RELU, "gelu", "silu"),
    ("glu", "swiglu"),
    ("batchnorm-relu", "layernorm-relu"),
    ("softmax", "stablemax"),
    ("first-controls", "second-controls"),
)
_LABELS = {
    "current": "the current network",
    "relu": "ReLU",
    "gelu": "GELU",
    "silu": "SiLU",
    "glu": "GLU",
    "swiglu": "SwiGLU",
    "batchnorm-relu": "BatchNorm + ReLU",
    "layernorm-relu": "LayerNorm + ReLU",
    "softmax": "Softmax",
    "stablemax": "StableMax",
    "first-controls": "the first control of each place",
    "second-controls": "the second control of each place",
}


def family_of(names: Container[str]) -> tuple[str, ...]:
    """The built-in controls of which there are some among these names."""
    return next((family for family in FAMILIES if any(name in names for name in family)), FAMILIES[0])


def label_of(control: str) -> str:
    """A control's name for people; one of the user's own is called what the config calls it."""
    return _LABELS.get(control, control)


def listed(controls: Iterable[str]) -> str:
    """Several in a sentence: ``"ReLU, GELU and SiLU"``."""
    *first, last = map(label_of, controls)
    return f"{', '.join(first)} and {last}" if first else last
