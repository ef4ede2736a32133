"""Ranks: derivations numbered within their kind, so that one can be drawn uniformly by drawing its number."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from math import prod
from typing import final

from primitives.grammars.counting.types import VOID, Types
from primitives.grammars.derivation import Derivation
from primitives.grammars.patterns import Rule


@dataclass(frozen=True, slots=True)
class Production:
    """One way to write a kind of part.

    Args:
        rules: those that may stand at its root, of one number of inputs.
        parts: the kind of each input.
    """

    rules: tuple[Rule, ...]
    parts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Block:
    """Derivations with consecutive ranks: any of these rules above any inputs of these kinds and types.

    Args:
        rules: at the root.
        inputs: kind and type of each input.
        counts: how many derivations each input has.
    """

    rules: tuple[Rule, ...]
    inputs: tuple[tuple[int, int], ...]
    counts: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of derivations."""
        return len(self.rules) * prod(self.counts)


@final
class Ranks:
    """Counts and ranks of the derivations of each kind and type.

    The kinds of trees are their sizes, those of forms are the places of the shape.

    Args:
        productions: the ways to write each kind, parts before what they are part of.
        types: what types the rules make.
    """

    def __init__(self, productions: Mapping[int, Sequence[Production]], types: Types) -> None:
        self._productions, self._types = productions, types
        self._counts: dict[int, dict[int, int]] = {}
        self._blocks: dict[tuple[int, int], tuple[list[int], list[_Block]]] = {}
        for kind, ways in productions.items():
            self._counts[kind] = self._counted(ways)

    def _counted(self, ways: Sequence[Production]) -> dict[int, int]:
        counts: dict[int, int] = {}
        for way in ways:
            for given, number in self._inputs(way):
                for made, rules in self._types.grouped(way.rules, given).items():
                    counts[made] = counts.get(made, 0) + len(rules) * prod(number)
        counts.pop(VOID, None)
        return counts

    def _inputs(self, way: Production) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """The types that the inputs can have together, and how many derivations each of the inputs has then."""
        found = [[(each, n) for each in self._types.all if (n := self.count(part, each))] for part in way.parts]
        return [(tuple(each for each, _ in row), tuple(n for _, n in row)) for row in product(*found)]

    def count(self, kind: int, made: int) -> int:
        """Number of derivations of a kind and a type."""
        return self._counts[kind].get(made, 0)

    def types(self, kind: int) -> frozenset[int]:
        """The types that derivations of a kind have."""
        return frozenset(self._counts[kind])

    def nth(self, kind: int, wanted: Collection[int], number: int) -> Derivation:
        """The derivation of a number among those of a kind and some types, the largest type first."""
        left = number
        for made in sorted(wanted, reverse=True):
            if left < self.count(kind, made):
                return self.ranked(kind, made, left)
            left -= self.count(kind, made)
        raise IndexError(number)

    def ranked(self, kind: int, made: int, rank: int) -> Derivation:
        """The derivation of a rank, from 0 to the count less one."""
        ends, blocks = self._listed(kind, made)
        at = bisect_right(ends, rank)
        block = blocks[at]
        left = rank - (ends[at - 1] if at else 0)
        inner: Derivation = ()
        for (part, each), count in zip(reversed(block.inputs), reversed(block.counts), strict=True):
            left, number = divmod(left, count)
            inner = (*self.ranked(part, each, number), *inner)
        return (block.rules[left], *inner)

    def _listed(self, kind: int, made: int) -> tuple[list[int], list[_Block]]:
        """The blocks of a kind and type, and the rank at which each ends."""
        if (kind, made) not in self._blocks:
            blocks = []
            for way in self._productions[kind]:
                for given, counts in self._inputs(way):
                    rules = self._types.grouped(way.rules, given).get(made, ())
                    if rules:
                        blocks.append(_Block(rules, tuple(zip(way.parts, given, strict=True)), counts))
            self._blocks[kind, made] = list(accumulate(block.size for block in blocks)), blocks
        return self._blocks[kind, made]
