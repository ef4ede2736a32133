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
from primitives.grammars.derivation import Derivation, Reading, X, ends
from primitives.grammars.factors import Factors, plain
from primitives.grammars.insertions import Insertion
from primitives.grammars.patterns import Rule
from primitives.grammars.rules import Rules
from primitives.grammars.template import Choice, Measure, Rng, Template, chosen, pick, without_surplus

#: Number of inputs at each place of a form, in prefix order.
Shape = tuple[int, ...]
_WORDS = ("x", "unary", "binary")


@final
class Form(Template):
    """All derivations of one shape.

    Args:
        name: of the template.
        shape: the number of inputs at each place; a place without any is ``x``.
        unary: the rules over ``a``; at least one where the shape has a unary place.
        binary: the rules over ``a`` and ``b``, likewise.
        factors: the factors.
    """

    fixed = True

    def __init__(
        self, name: str, shape: Shape, unary: Sequence[Rule], binary: Sequence[Rule], factors: Factors | None = None
    ) -> None:
        self.name = name
        self.factors = factors or Factors()
        self.max_size = len(shape)
        self._by_arity = tuple(Rules(rules, self.factors) for rules in ((X,), unary, binary))
        self._choices = tuple(self._by_arity[arity].all for arity in shape)
        self._numbers = np.array([len(rules) for rules in self._choices])
        self._shape, self._ends = shape, ends(shape)

    def count(self) -> int:
        return prod(len(rules) for rules in self._choices)

    def enumerate(self) -> Iterator[Derivation]:
        return product(*self._choices)

    def sizes(self) -> tuple[int, ...]:
        return (self.max_size,)

    def sample(self, rng: Rng, size: int | None = None) -> Derivation:
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
            starts = self._starts(at)
            for rule, inputs in self._by_arity[self._shape[at]].matches(node, separate):
                parts = [read(inner, start) for inner, start in zip(inputs, starts, strict=True)]
                if None not in parts:
                    yield (rule, *chain(*[part for part in parts if part]))

        reading = read(expression, 0)
        return reading if reading and self.factors.allow(reading) else None

    def _starts(self, at: int) -> tuple[int, ...]:
        """Where the inputs of the rule at a place start."""
        return (at + 1, self._ends[at + 1])[: self._shape[at]] if self._shape[at] else ()

    def filled(self, reading: Reading, rng: Rng) -> Derivation:
        return tuple(rule or pick(rules, rng) for rule, rules in zip(reading, self._choices, strict=True))

    def alternatives(self, rules: Derivation, at: int) -> Sequence[Rule]:
        return self._choices[at]

    def redrawn(self, rules: Derivation, rng: Rng) -> Derivation:
        return self.sample(rng)

    def regrown(self, rules: Derivation, at: int, rng: Rng) -> Derivation | None:
        stop = self._ends[at]
        choices = self._choices[at:stop]
        if all(len(rules) == 1 for rules in choices):
            return None
        return rules[:at] + tuple(pick(options, rng) for options in choices) + rules[stop:]

    def insertions(self, *, neutral: bool) -> Sequence[Insertion]:
        return ()

    def cross(self, first: Reading, second: Reading, rng: Rng) -> Derivation:
        """Each rule from one parent or the other; from the one that shows it, where one does not."""
        heads = rng.random(len(first)) < 0.5
        pairs = [(f, g) if head else (g, f) for f, g, head in zip(first, second, heads, strict=True)]
        return without_surplus(self.filled(tuple(f or g for f, g in pairs), rng), self.factors, rng)

    def largest(self, measure: Measure) -> int:
        largest = [0] * self.max_size
        for at in reversed(range(self.max_size)):
            inputs = [largest[start] for start in self._starts(at)]
            largest[at] = max(measure(rule, *inputs) for rule in self._choices[at])
        return largest[0]

    def rule_choices(self, limit: int) -> tuple[tuple[str, ...], ...]:
        return tuple(
            tuple(rule.text for rule in rules) for rules, arity in zip(self._choices, self._shape, strict=True) if arity
        )

    def encoded(self, reading: Reading, limit: int) -> tuple[str | None, ...] | None:
        rules = [rule for rule, arity in zip(reading, self._shape, strict=True) if arity]
        return tuple(plain(rule).text if rule else None for rule in rules)

    def decoded(self, choices: Sequence[Choice]) -> Derivation:
        given = iter(choices)
        return tuple(
            chosen(rules, next(given)) if arity else X for rules, arity in zip(self._choices, self._shape, strict=True)
        )


def units(number: int) -> Shape:
    """The shape of a chain of core units: with m binary and n unary rules it has (m * n**2)**number derivations."""
    shape: Shape = (0,)
    for _ in range(number):
        shape = (2, 1, *shape, 1, 0)
    return shape


def shape_of(text: str) -> Shape | None:
    """The shape that a text such as ``binary(unary(x),x)`` draws, or None for any other text."""
    words = re.findall(r"[a-z]+", text)
    if not words or any(word not in _WORDS for word in words):
        return None
    shape = tuple(_WORDS.index(word) for word in words)
    if 1 + sum(shape) != len(shape) or _drawn(shape) != re.sub(r"\s", "", text):
        return None
    return shape


def _drawn(shape: Shape) -> str:
    """The text of a complete shape; what is wrong in an incomplete one shows as another text."""
    stack: list[str] = []
    for arity in reversed(shape):
        inner = [stack.pop() for _ in range(min(arity, len(stack)))]
        stack.append(f"{_WORDS[arity]}({','.join(inner)})" if arity else "x")
    return "".join(reversed(stack))
