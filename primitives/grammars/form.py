"""Forms: one shape with a free choice of the rule at each place.

``binary(unary(x),unary(x))`` is the core unit of Ramachandran, Zoph and Le (2017, arXiv 1710.05941). In a chain of
units the first input of each unit but the first is the unit before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, product
from math import prod
from typing import final

import numpy as np

from primitives.expression.expression import Expression
from primitives.grammars.counting.ranks import Production, Ranks
from primitives.grammars.counting.types import Types
from primitives.grammars.derivation import Derivation, Reading, X, Z, ends
from primitives.grammars.factors import Factors, plain
from primitives.grammars.insertions import Insertion
from primitives.grammars.patterns import Rule
from primitives.grammars.rules import Rules
from primitives.grammars.template import Choice, Measure, Rng, Template, below, chosen, pick, without_surplus
from primitives.operators.axes import mask

#: The words of a form in prefix order, as their numbers among these.
Shape = tuple[int, ...]
WORDS = ("x", "unary", "binary", "z")
_ARITIES = (0, 1, 2, 0)
_TRIES = 50  # a child that lost an axis is drawn again so often


@final
class Form(Template):
    """All derivations of one shape; where rules are statistics, those that vary over all axes.

    Args:
        name: of the template.
        shape: the words in prefix order.
        unary: the rules over ``a``; at least one where the shape has a unary place.
        binary: the rules over ``a`` and ``b``, likewise.
        factors: the factors.

    Attributes:
        text: the shape as a declaration has it.
    """

    fixed = True

    def __init__(
        self, name: str, shape: Shape, unary: Sequence[Rule], binary: Sequence[Rule], factors: Factors | None = None
    ) -> None:
        self.name = name
        self.factors = factors or Factors()
        self.max_size = len(shape)
        words = tuple(Rules(rules, self.factors) for rules in ((X,), unary, binary, (Z,)))
        self._rules = tuple(words[word] for word in shape)
        self._choices = tuple(rules.all for rules in self._rules)
        self._numbers = np.array([len(rules) for rules in self._choices])
        self._shape = tuple(_ARITIES[word] for word in shape)
        self.text = _drawn(shape)
        self._ends = ends(self._shape)
        self._types = Types([X, *chain(*self._choices)])
        self._wanted = frozenset(kind for kind in self._types.all if mask("ncp") & ~kind == 0)
        self._ranks = self._ranked_places() if self._types.with_axes else None

    @property
    def choices(self) -> tuple[tuple[Rule, ...], ...]:
        """The rules, without factors, of each place in prefix order; an input has one, the leaf."""
        return self._choices

    def starts(self, at: int) -> tuple[int, ...]:
        """Where the inputs of the rule at a place start."""
        return (at + 1, self._ends[at + 1])[: self._shape[at]] if self._shape[at] else ()

    def _ranked_places(self) -> Ranks:
        """The ranks of the parts at each place, the last place first."""
        places = reversed(range(self.max_size))
        return Ranks({at: [Production(self._choices[at], self.starts(at))] for at in places}, self._types)

    def count(self, size: int | None = None) -> int:
        if size not in (None, self.max_size):
            return 0
        if self._ranks is None:
            return prod(len(rules) for rules in self._choices)
        return sum(self._ranks.count(0, kind) for kind in self._wanted)

    def enumerate(self) -> Iterator[Derivation]:
        if self._ranks is None:
            return product(*self._choices)
        ranks = self._ranks
        return (ranks.nth(0, self._wanted, number) for number in range(self.count()))

    def sizes(self) -> tuple[int, ...]:
        return (self.max_size,)

    def sample(self, rng: Rng, size: int | None = None) -> Derivation:
        if self._ranks is not None:
            return self._ranks.nth(0, self._wanted, below(self.count(), rng))
        digits = rng.integers(self._numbers).tolist()
        return tuple([rules[digit] for rules, digit in zip(self._choices, digits, strict=True)])

    def read(self, expression: Expression) -> Reading | None:
        memo: dict[tuple[Expression, int], Reading | None] = {}
        separate = bool(expression.parameters)

        def read(node: Expression | None, at: int) -> Reading | None:
            """Rules for the part of the shape at a place that write the node; a node of None can be anything."""
            if node is None:
                return (None,) * (self._ends[at] - at)
            if (node, at) not in memo:
                memo[node, at] = next(readings(node, at), None)
            return memo[node, at]

        def readings(node: Expression, at: int) -> Iterator[Reading]:
            starts = self.starts(at)
            for rule, inputs in self._rules[at].matches(node, separate):
                parts = [read(inner, start) for inner, start in zip(inputs, starts, strict=True)]
                if None not in parts:
                    yield (rule, *chain(*[part for part in parts if part]))

        reading = read(expression, 0)
        return reading if reading and self._fits(reading) else None

    def _fits(self, reading: Reading) -> bool:
        """True if it has no factor too many and varies over all axes; what it does not show does not count."""
        return self.accepts(tuple(rule or rules[0] for rule, rules in zip(reading, self._choices, strict=True)))

    def accepts(self, rules: Derivation) -> bool:
        return self.factors.allow(rules) and (self._ranks is None or self._types.each(rules)[0] in self._wanted)

    def filled(self, reading: Reading, rng: Rng) -> Derivation:
        return tuple(rule or pick(rules, rng) for rule, rules in zip(reading, self._choices, strict=True))

    def alternatives(self, rules: Derivation, at: int) -> Sequence[Rule]:
        if self._ranks is None:
            return self._choices[at]
        return self._types.fitting(self._types.places(rules, self._wanted)[at], self._choices[at])

    def redrawn(self, rules: Derivation, rng: Rng) -> Derivation:
        return self.sample(rng)

    def regrown(self, rules: Derivation, at: int, rng: Rng) -> Derivation | None:
        stop = self._ends[at]
        if self._ranks is not None:
            allowed = self._types.places(rules, self._wanted)[at].allowed
            number = sum(self._ranks.count(at, kind) for kind in allowed)
            return None if number == 1 else rules[:at] + self._ranks.nth(at, allowed, below(number, rng)) + rules[stop:]
        choices = self._choices[at:stop]
        if all(len(rules) == 1 for rules in choices):
            return None
        return rules[:at] + tuple(pick(options, rng) for options in choices) + rules[stop:]

    def insertions(self, *, neutral: bool) -> Sequence[Insertion]:
        return ()

    def cross(self, first: Reading, second: Reading, rng: Rng) -> Derivation:
        """Each rule from one parent or the other; from the one that shows it, where one does not.

        A child that lost an axis is drawn again; after 50 times it is the first parent.
        """
        for _ in range(_TRIES):
            heads = rng.random(len(first)) < 0.5
            pairs = [(f, g) if head else (g, f) for f, g, head in zip(first, second, heads, strict=True)]
            child = without_surplus(self.filled(tuple(f or g for f, g in pairs), rng), self.factors, rng)
            if self.accepts(child):
                return child
        return self.filled(first, rng)

    def largest(self, measure: Measure) -> int:
        largest = [0] * self.max_size
        for at in reversed(range(self.max_size)):
            inputs = [largest[start] for start in self.starts(at)]
            largest[at] = max(measure(rule, *inputs) for rule in self._choices[at])
        return largest[0]

    def longest(self, limit: int) -> int:
        return self.max_size

    def rule_choices(self, limit: int) -> tuple[tuple[str, ...], ...]:
        return tuple(
            tuple(rule.text for rule in rules) for rules, arity in zip(self._choices, self._shape, strict=True) if arity
        )

    def encoded(self, reading: Reading, limit: int) -> tuple[str | None, ...] | None:
        rules = [rule for rule, arity in zip(reading, self._shape, strict=True) if arity]
        return tuple(plain(rule).text if rule else None for rule in rules)

    def decoded(self, choices: Sequence[Choice]) -> Derivation:
        by_place = iter(choices)
        given = [next(by_place) if arity else None for arity in self._shape]
        if self._ranks is None:
            places = zip(self._choices, given, strict=True)
            return tuple(chosen(rules, choice) if choice else rules[0] for rules, choice in places)
        return self._decoded(self._ranks, 0, self._wanted, given)

    def _decoded(self, ranks: Ranks, at: int, wanted: frozenset[int], given: Sequence[Choice | None]) -> Derivation:
        """The part at a place, of a wanted type; a rule is possible if some inputs make such a type of it."""
        starts, types = self.starts(at), self._types
        inner = list(product(*(ranks.types(start) for start in starts)))
        possible = [r for r in self._choices[at] if any(types.of(r, *each) in wanted for each in inner)]
        choice = given[at]
        rules: Derivation = (chosen(possible, choice) if choice else possible[0],)
        for number, start in enumerate(starts):
            inner = [each for each in inner if types.of(rules[0], *each) in wanted]
            part = self._decoded(ranks, start, frozenset(each[number] for each in inner), given)
            inner = [each for each in inner if each[number] == types.each(part)[0]]
            rules = (*rules, *part)
        return rules


def units(number: int) -> Shape:
    """The shape of a chain of core units: with m binary and n unary rules it has (m * n**2)**number derivations."""
    shape: Shape = (0,)
    for _ in range(number):
        shape = (2, 1, *shape, 1, 0)
    return shape


def shape_of(text: str) -> Shape | None:
    """The shape that a text such as ``binary(unary(x),z)`` draws, or None for any other text."""
    words = re.findall(r"[a-z]+", text)
    if not words or any(word not in WORDS for word in words):
        return None
    shape = tuple(WORDS.index(word) for word in words)
    if 1 + sum(_ARITIES[word] for word in shape) != len(shape) or _drawn(shape) != re.sub(r"\s", "", text):
        return None
    return shape


def _drawn(shape: Shape) -> str:
    """The text of a complete shape; what is wrong in an incomplete one shows as another text."""
    stack: list[str] = []
    for word in reversed(shape):
        inner = [stack.pop() for _ in range(min(_ARITIES[word], len(stack)))]
        stack.append(f"{WORDS[word]}({','.join(inner)})" if _ARITIES[word] else WORDS[word])
    return "".join(reversed(stack))
