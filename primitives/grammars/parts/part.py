"""A part: one of the templates of a grammar, as the grammar sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from primitives.expression.expression import Expression
from primitives.grammars.template import Rng

R = TypeVar("R")


class Part(ABC, Generic[R]):
    """A set of expressions of one kind of shape, each of which is read as something that can be varied, an ``R``.

    Attributes:
        name: how decisions and messages call it.
        kinds: the kinds of mutation by name, and how often each is drawn where a grammar does not say otherwise.
    """

    name: str
    kinds: Mapping[str, float]

    @abstractmethod
    def count(self, size: int | None = None) -> int:
        """Number of derivations, those with factors left out; of all, or of a size."""

    @abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """The sizes of its derivations, ascending."""

    @abstractmethod
    def enumerate(self) -> Iterator[Expression]:
        """The expression of every derivation without factors, in a fixed order."""

    @abstractmethod
    def sample(self, rng: Rng, size: int | None = None) -> Expression:
        """A random expression; of a derivation of a size, where one of :meth:`sizes` is given."""

    @abstractmethod
    def read(self, expression: Expression) -> R | None:
        """How the expression is derived, up to the names of its parameters; None where it is not."""

    @abstractmethod
    def written(self, reading: R, rng: Rng) -> Expression:
        """The expression of a reading, with what could not be seen drawn at random."""

    @abstractmethod
    def changed(self, reading: R, kind: str, rng: Rng) -> Expression | None:
        """A mutation of one of :attr:`kinds`; None where it is impossible."""

    @abstractmethod
    def crossed(self, first: R, second: R, rng: Rng) -> Expression:
        """A child of two readings."""
