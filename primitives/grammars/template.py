"""What every template of a grammar can do: a template is a set of derivations of one kind of shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from primitives.expression.expression import Expression
from primitives.grammars.derivation import Derivation, Reading, shown
from primitives.grammars.factors import Factors, bare, placed, plain
from primitives.grammars.insertions import Insertion
from primitives.grammars.patterns import Rule

Rng = np.random.Generator
#: A choice of a decision vector: its text, and its number among those of its decision.
Choice = tuple[str, int]
#: What a rule makes of a measure of its inputs, such as :meth:`Rule.size`.
Measure = Callable[..., int]
T = TypeVar("T")


class Template(ABC):
    """A set of derivations.

    Attributes:
        name: how decisions and messages call it.
        factors: the factors that its derivations may carry.
        max_size: the greatest number of rules in a derivation.
        fixed: all derivations have one shape, so that mutation changes rules only.
        constants: the leaves that are numbers, in ascending order.
    """

    name: str
    factors: Factors
    max_size: int
    fixed: bool
    constants: Sequence[Rule] = ()

    @abstractmethod
    def count(self, size: int | None = None) -> int:
        """Number of derivations, those with factors left out; of all, or of a size."""

    @abstractmethod
    def enumerate(self) -> Iterator[Derivation]:
        """Every derivation without factors once, in a fixed order."""

    @abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """The sizes, in rules, of its derivations, ascending."""

    @abstractmethod
    def sample(self, rng: Rng, size: int | None = None) -> Derivation:
        """A random derivation without factors; uniform among those of a size, where one of :meth:`sizes` is given."""

    @abstractmethod
    def read(self, expression: Expression) -> Reading | None:
        """A derivation of the expression up to parameter names, or None where there is none."""

    @abstractmethod
    def accepts(self, rules: Derivation) -> bool:
        """True if rules that are put together so are a derivation of this template."""

    @abstractmethod
    def filled(self, reading: Reading, rng: Rng) -> Derivation:
        """The derivation that was read, with what could not be seen drawn at random."""

    @abstractmethod
    def alternatives(self, rules: Derivation, at: int) -> Sequence[Rule]:
        """The rules, without factors, that may stand at a place while all others stay, the present one among them."""

    @abstractmethod
    def redrawn(self, rules: Derivation, rng: Rng) -> Derivation:
        """A random derivation of the same shape, without factors."""

    @abstractmethod
    def regrown(self, rules: Derivation, at: int, rng: Rng) -> Derivation | None:
        """The derivation with the part at a place drawn anew; None where no other part is possible."""

    @abstractmethod
    def insertions(self, *, neutral: bool) -> Sequence[Insertion]:
        """What may be put in above a part: all that leaves the function as it is, or a choice of all."""

    @abstractmethod
    def cross(self, first: Reading, second: Reading, rng: Rng) -> Derivation:
        """A child of two derivations."""

    @abstractmethod
    def largest(self, measure: Measure) -> int:
        """The greatest value of a measure among its expressions without factors."""

    @abstractmethod
    def longest(self, limit: int) -> int:
        """The most rules of a derivation that decisions write, ``limit`` where it is free."""

    @abstractmethod
    def rule_choices(self, limit: int) -> tuple[tuple[str, ...], ...]:
        """The choices of the decisions that make a derivation, one tuple a decision; ``limit`` where it is free."""

    @abstractmethod
    def encoded(self, reading: Reading, limit: int) -> tuple[str | None, ...] | None:
        """The decisions of a derivation, None for one that does not matter; None where it needs more of them."""

    @abstractmethod
    def decoded(self, choices: Sequence[Choice]) -> Derivation:
        """A derivation for any decisions; a choice that is impossible at its place stands for one that is possible."""


def below(limit: int, rng: Rng) -> int:
    """A uniform integer in [0, limit), for limits of any size."""
    if limit <= 1 << 62:
        return int(rng.integers(limit))
    bits = limit.bit_length()
    while True:
        drawn = int.from_bytes(rng.bytes((bits + 7) // 8), "little") >> (-bits % 8)
        if drawn < limit:
            return drawn


def pick(options: Sequence[T], rng: Rng) -> T:
    """One of the options, uniformly."""
    return options[int(rng.integers(len(options)))]


def chosen(options: Sequence[Rule], choice: Choice) -> Rule:
    """The option that a choice names, or the one whose number is the choice's own modulo their number."""
    text, number = choice
    return next((rule for rule in options if rule.text == text), options[number % len(options)])


def with_factors(rules: Derivation, factors: Factors, rng: Rng) -> Derivation:
    """Factors at random places: a number from 0 to the greatest is drawn, then as many of the places that show."""
    if not factors.most:
        return rules
    number = int(rng.integers(factors.most + 1))
    places = set(rng.permutation(bare(rules, shown(rules)))[:number].tolist())
    return tuple(factors.before(rule) if at in places else rule for at, rule in enumerate(rules))


def without_surplus(rules: Derivation, factors: Factors, rng: Rng) -> Derivation:
    """As many factors as are allowed; those that are too many are dropped at random."""
    places = placed(rules)
    surplus = set(rng.permutation(places)[factors.most :].tolist()) if len(places) > factors.most else ()
    return tuple(plain(rule) if at in surplus else rule for at, rule in enumerate(rules)) if surplus else rules
