"""A decision, and how the templates of one kind make theirs of what they read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from primitives.expression.expression import Expression
from primitives.grammars.template import Choice

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry of a vector: its name and its choices; the first is the default."""

    name: str
    choices: tuple[str, ...]


class Vectors(ABC, Generic[R]):
    """The vectors of all templates of one kind, which share their decisions.

    Attributes:
        decisions: in the order of a vector.
    """

    decisions: Sequence[Decision]

    @abstractmethod
    def encoded(self, name: str, reading: R) -> dict[str, str] | None:
        """The decisions that matter, of what the template of a name read; None where it needs more of them."""

    @abstractmethod
    def decoded(self, name: str, vector: Mapping[str, Choice]) -> Expression:
        """The expression of any vector, in the template of a name."""
