"""Derivations, and what every template of a grammar can do with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

import numpy as np

from primitives.expressions import Expression, Parameter, parameter, variable, with_numbered_parameters
from primitives.grammars.patterns import Rule

Rng = np.random.Generator
D = TypeVar("D")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Derivation:
    """A rule applied to derivations; ``size`` is the number of rules applied, leaves among them."""

    rule: Rule
    args: tuple[Derivation, ...]
    size: int

    def replaced(self, index: int, new: Derivation) -> Derivation:
        """A copy with the node of this number, counted from 0 in preorder, replaced."""
        if index == 0:
            return new
        index -= 1
        for slot, arg in enumerate(self.args):
            if index < arg.size:
                return derive(self.rule, *self.args[:slot], arg.replaced(index, new), *self.args[slot + 1 :])
            index -= arg.size
        raise IndexError("no such node")


X = Rule("x", variable(), 0)


def derive(rule: Rule, *args: Derivation) -> Derivation:
    """A rule applied to as many derivations as it takes."""
    return Derivation(rule, args, 1 + sum(arg.size for arg in args))


def nodes(root: Derivation) -> list[Derivation]:
    """The derivation and all below it, in preorder."""
    found, stack = [], [root]
    while stack:
        node = stack.pop()
        found.append(node)
        stack.extend(reversed(node.args))
    return found


def write(root: Derivation) -> Expression:
    """The expression of a derivation; each use of a rule gets parameters of its own, ``beta``, ``beta2``, ..."""
    tags = count(1)

    def fresh(p: Parameter) -> Expression:
        return parameter(f"{p.name}{next(tags)}", p.initial, per_channel=p.per_channel)

    def build(node: Derivation) -> Expression:
        return node.rule.write([build(arg) for arg in node.args], fresh)

    expression = build(root)
    return with_numbered_parameters(expression) if expression.parameters else expression


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


class Template(ABC, Generic[D]):
    """A set of derivations of one shape; ``D`` is what it keeps of a derivation."""

    @abstractmethod
    def count(self) -> int:
        """Number of derivations."""

    @abstractmethod
    def enumerate(self) -> Iterator[D]:
        """Every derivation once, in a fixed order."""

    @abstractmethod
    def sample(self, rng: Rng) -> D:
        """A random derivation."""

    @abstractmethod
    def write(self, derivation: D) -> Expression:
        """The expression of a derivation."""

    @abstractmethod
    def read(self, expression: Expression) -> D | None:
        """A derivation of the expression up to parameter names, or None where there is none."""

    @abstractmethod
    def vary(self, derivation: D, rng: Rng) -> D:
        """A neighbour: one small random change."""

    @abstractmethod
    def cross(self, first: D, second: D, rng: Rng) -> D:
        """A child of two derivations."""

    @abstractmethod
    def largest(self) -> tuple[int, int]:
        """The greatest size and the greatest depth that an expression of the template can have."""
