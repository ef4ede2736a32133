"""A place of a network, declared: what the candidate takes the place of, and how its inputs lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from evaluators.errors import TaskError
from primitives.layers.call_places import kind_of_function

#: What is meant by a place: modules of a type, what has a name that fits a pattern, or calls of a function of torch's.
Match = type[nn.Module] | str | Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of ``Task.replaced`` that says where the inputs have their channels.

    Args:
        match: a type of modules, a pattern of names, or a function of torch's, as an entry alone is.
        channel_dim: the dimension of channels of the inputs, as torch counts: 1 in (N, C, ...), -1 where they come
            last. None: the layers before say it, else it is guessed.

    Raises:
        TaskError: ``match`` is none of these, or ``channel_dim`` is no whole number.
    """

    match: Match
    channel_dim: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.match, str | type) and not kind_of_function(self.match):
            raise TaskError(
                f"Place: match: expected a type of modules, a pattern of names, or a function, got {self.match!r}"
            )
        if not isinstance(self.channel_dim, int | None):
            raise TaskError(f"Place: channel_dim: expected a whole number, as 1 or -1, got {self.channel_dim!r}")
