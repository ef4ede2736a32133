"""How a network is called: with a tensor, with the parts of a tuple, or with those of a dict by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from evaluators.tasks.base import Inputs


def call(network: Callable[..., Any], inputs: Inputs) -> Any:
    """``network(x)``, ``network(*parts)`` for a tuple, ``network(**parts)`` for a dict."""
    if isinstance(inputs, tuple):
        return network(*inputs)
    return network(**inputs) if isinstance(inputs, dict) else network(inputs)


@contextmanager
def without_fast_path() -> Iterator[None]:
    """A context in which torch's attention takes in eval mode the operators that it takes in train mode.

    Its fast path calls no activation, and has no rule for vmap.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
