"""Chained core units, the template of Ramachandran, Zoph and Le (2017, arXiv 1710.05941).

The first unit is ``b(u(x), u'(x))``, each later one ``b(u(previous), u'(x))``. With m binary and n unary rules
k units have (m * n**2)**k derivations; GRAFS (Strack et al. 2024, arXiv 2408.06820) is k = 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import final

import numpy as np

from primitives.expressions import Expression, variable
from primitives.grammars.patterns import Rule, Rules
from primitives.grammars.template import Rng, Template, X, derive, pick, write

#: (u, u', b) of the first unit, then of the second, ...; None is a slot that the expression does not show.
Slots = tuple[Rule | None, ...]

MAX_UNITS = 8  # reading an expression tries up to 2**units ways


@final
class Units(Template[Slots]):
    """A chain of core units.

    Args:
        unary: the rules over ``a``; at least one.
        binary: the rules over ``a`` and ``b``; at least one.
        units: length of the chain, 1 to ``MAX_UNITS``.
    """

    def __init__(self, unary: Sequence[Rule], binary: Sequence[Rule], units: int) -> None:
        self.units = units
        self._unary, self._binary = Rules(unary), Rules(binary)
        self._choices = (self._unary.all, self._unary.all, self._binary.all) * units
        self._numbers = np.array([len(rules) for rules in self._choices])

    def count(self) -> int:
        return int((len(self._binary.all) * len(self._unary.all) ** 2) ** self.units)

    def enumerate(self) -> Iterator[Slots]:
        return product(*self._choices)

    def sample(self, rng: Rng) -> Slots:
        digits = rng.integers(self._numbers).tolist()
        return tuple(rules[digit] for rules, digit in zip(self._choices, digits, strict=True))

    def write(self, derivation: Slots) -> Expression:
        x = tree = derive(X)
        rules = [slot or choices[0] for slot, choices in zip(derivation, self._choices, strict=True)]
        for u, v, b in zip(rules[::3], rules[1::3], rules[2::3], strict=True):
            tree = derive(b, derive(u, tree), derive(v, x))
        return write(tree)

    def read(self, expression: Expression) -> Slots | None:
        return next(self._chain(expression, self.units), None)

    def _chain(self, node: Expression | None, units: int) -> Iterator[Slots]:
        """The slots of as many units that write the node; a node of None can be anything."""
        if node is None:
            yield (None,) * (3 * units)
        elif units == 0:
            yield from [()] if node is variable() else []
        else:
            for binary, (left, right) in self._binary.matches(node):
                for (v, _), (u, earlier) in product(self._side(right, 0), self._side(left, units - 1)):
                    yield (*earlier, u, v, binary)

    def _side(self, node: Expression | None, units: int) -> Iterator[tuple[Rule | None, Slots]]:
        """The unary rule and the slots of the units below it that write one side of a unit."""
        if node is None:
            yield None, (None,) * (3 * units)
            return
        for unary, (inner,) in self._unary.matches(node):
            for earlier in self._chain(inner, units):
                yield unary, earlier

    def vary(self, derivation: Slots, rng: Rng) -> Slots:
        """Another rule in one slot (three times in four), or one unit drawn anew."""
        sites = [i for i, number in enumerate(self._numbers.tolist()) if number > 1]
        if not sites:
            return derivation
        slots = [slot or pick(rules, rng) for slot, rules in zip(derivation, self._choices, strict=True)]
        at = pick(sites, rng)
        if rng.random() < 0.75:
            slots[at] = pick([rule for rule in self._choices[at] if rule is not slots[at]], rng)
        else:
            start = at - at % 3
            slots[start : start + 3] = [pick(rules, rng) for rules in self._choices[:3]]
        return tuple(slots)

    def cross(self, first: Slots, second: Slots, rng: Rng) -> Slots:
        """Each slot from one parent or the other; from the one that shows it, where one does not."""
        heads = rng.random(len(first)) < 0.5
        pairs = [(f, g) if head else (g, f) for f, g, head in zip(first, second, heads, strict=True)]
        return tuple(f or g for f, g in pairs)

    def largest(self) -> tuple[int, int]:
        size, depth = 1, 1
        side_size = max(rule.size(1) for rule in self._unary.all)
        side_depth = max(rule.depth(1) for rule in self._unary.all)
        for _ in range(self.units):
            left_size = max(rule.size(size) for rule in self._unary.all)
            left_depth = max(rule.depth(depth) for rule in self._unary.all)
            size = max(rule.size(left_size, side_size) for rule in self._binary.all)
            depth = max(rule.depth(left_depth, side_depth) for rule in self._binary.all)
        return size, depth
