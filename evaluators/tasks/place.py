"""A place of a network, declared: what the candidate takes the place of, and how its inputs lie."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from evaluators.errors import TaskError


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of ``Task.replaced`` that says where the inputs have their channels.

    Args:
        match: a type of modules, or a pattern of their names, as an entry alone is.
        channel_dim: the dimension of channels of the inputs, as torch counts: 1 in (N, C, ...), -1 where they come
            last. None: the layers before say it, else it is guessed.

    Raises:
        TaskError: ``match`` is neither, or ``channel_dim`` is no whole number.
    """

    match: type[nn.Module] | str
    channel_dim: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.match, str | type):
            raise TaskError(f"Place: match: expected a type of modules or a pattern of names, got {self.match!r}")
        if not isinstance(self.channel_dim, int | None):
            raise TaskError(f"Place: channel_dim: expected a whole number, as 1 or -1, got {self.channel_dim!r}")

    def fits(self, path: str, module: nn.Module) -> bool:
        """True for a module of a network that it means."""
        return fnmatchcase(path, self.match) if isinstance(self.match, str) else isinstance(module, self.match)
