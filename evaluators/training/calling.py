"""How a network is called: with a tensor, with the parts of a tuple, or with those of a dict by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evaluators.tasks.base import Inputs


def call(network: Callable[..., Any], inputs: Inputs) -> Any:
    """``network(x)``, ``network(*parts)`` for a tuple, ``network(**parts)`` for a dict."""
    if isinstance(inputs, tuple):
        return network(*inputs)
    return network(**inputs) if isinstance(inputs, dict) else network(inputs)
