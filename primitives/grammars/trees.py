"""Free trees over leaves, unary and binary rules, up to a size; the size of a tree is its number of rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import final

from primitives.expression.expression import MAX_DEPTH, Expression
from primitives.grammars.derivation import Derivation, Reading, X, extents, has_x
from primitives.grammars.factors import Factors, plain
from primitives.grammars.insertions import Insertion, growing, neutral
from primitives.grammars.patterns import Rule
from primitives.grammars.rules import Rules
from primitives.grammars.template import Choice, Measure, Rng, Template, below, chosen, pick, without_surplus

MAX_TREE_SIZE = 100
SMALLEST_SAMPLED = 3  # below it there are only leaves and unary rules at leaves
_GROWTH = 2  # a part is replaced by one that is larger by this many rules at most


@final
class Trees(Template):
    """All trees of at most ``max_size`` rules in which ``x`` occurs.

    Sampling draws a size from 3 to ``max_size`` uniformly and then a tree of that size uniformly, by its rank.

    Args:
        name: of the template.
        leaves: the rules without inputs beside ``x``: constants, parameters.
        rules: unary and binary rules. A unary rule that ignores its input is a leaf; the identity and binary rules
            that ignore an input are left out, as they would write the same expression at many sizes.
        max_size: 1 to ``MAX_TREE_SIZE``.
        factors: the factors.
    """

    fixed = False

    def __init__(
        self, name: str, leaves: Sequence[Rule], rules: Sequence[Rule], max_size: int, factors: Factors | None = None
    ) -> None:
        self.name, self.max_size = name, max_size
        self.factors = factors or Factors()
        more = [Rule(rule.text, rule.pattern, 0) for rule in rules if rule.arity == 1 and not rule.uses[0]]
        useful = [rule for rule in rules if all(rule.uses) and not rule.is_identity]
        first: dict[Expression, Rule] = {}
        for leaf in (X, *leaves, *more):
            first.setdefault(leaf.pattern, leaf)
        self._rules = Rules([*first.values(), *useful], self.factors)
        self.by_arity = tuple(tuple(rule for rule in self._rules.all if rule.arity == n) for n in range(3))
        self._leaf_texts = {rule.text for rule in self.by_arity[0]}
        numbers = [(rule.pattern.value, rule) for rule in self.by_arity[0]]
        ascending = sorted((value, rule.text, rule) for value, rule in numbers if isinstance(value, float))
        self.constants = tuple(rule for *_, rule in ascending)
        number = len(self.by_arity[0])
        without, every = self._counted(number - 1), self._counted(number)
        self._counts = without, [a - b for a, b in zip(every, without, strict=True)]

    def _counted(self, leaves: int) -> list[int]:
        """Number of trees of each size over so many leaves."""
        unary, binary = len(self.by_arity[1]), len(self.by_arity[2])
        counts = [0, leaves]
        for size in range(2, self.max_size + 1):
            pairs = sum(counts[left] * counts[size - 1 - left] for left in range(1, size - 1))
            counts.append(unary * counts[size - 1] + binary * pairs)
        return counts

    def count(self) -> int:
        return sum(self._counts[True])

    def enumerate(self) -> Iterator[Derivation]:
        return (self._ranked(size, rank) for size in self.sizes() for rank in range(self._counts[True][size]))

    def sizes(self) -> tuple[int, ...]:
        return tuple(size for size, number in enumerate(self._counts[True]) if number)

    def sample(self, rng: Rng, size: int | None = None) -> Derivation:
        if size is None:
            size = pick([n for n in self.sizes() if n >= SMALLEST_SAMPLED] or self.sizes(), rng)
        return self._ranked(size, below(self._counts[True][size], rng))

    def _ranked(self, size: int, rank: int, x: bool = True) -> Derivation:
        """The tree of this rank among those of a size, with ``x`` or without: leaves, unary roots, binary roots."""
        counts = self._counts[x]
        if size == 1:
            return (self.by_arity[0][rank if x else rank + 1],)
        unary = len(self.by_arity[1]) * counts[size - 1]
        if rank < unary:
            number, rest = divmod(rank, counts[size - 1])
            return (self.by_arity[1][number], *self._ranked(size - 1, rest, x))
        return self._ranked_pair(size, rank - unary, x)

    def _ranked_pair(self, size: int, rank: int, x: bool) -> Derivation:
        """A tree with a binary root: by the left input's size, then by which inputs have ``x``, then by the rule."""
        binary = self.by_arity[2]
        for left in range(1, size - 1):
            right = size - 1 - left
            for left_x, right_x in ((True, True), (True, False), (False, True)) if x else ((False, False),):
                lefts, rights = self._counts[left_x][left], self._counts[right_x][right]
                if rank < len(binary) * lefts * rights:
                    number, pair = divmod(rank, lefts * rights)
                    first, second = divmod(pair, rights)
                    return (binary[number], *self._ranked(left, first, left_x), *self._ranked(right, second, right_x))
                rank -= len(binary) * lefts * rights
        raise IndexError("no such tree")

    def read(self, expression: Expression) -> Reading | None:
        if expression.depth > MAX_DEPTH:  # a derivative, say: no rule writes it, and the recursion would be deep
            return None
        memo: dict[Expression, Derivation | None] = {}
        separate = bool(expression.parameters)

        def read(node: Expression) -> Derivation | None:
            """The smallest derivation of a node, whatever its size."""
            if node not in memo:
                memo[node] = min(readings(node), key=len, default=None)
            return memo[node]

        def readings(node: Expression) -> Iterator[Derivation]:
            for rule, inner in self._rules.matches(node, separate):
                parts = [read(part) for part in inner if part]
                if None not in parts:
                    yield (rule, *chain(*[part for part in parts if part]))

        reading = read(expression)
        fits = reading and len(reading) <= self.max_size and has_x(reading) and self.factors.allow(reading)
        return reading if fits else None

    def filled(self, reading: Reading, rng: Rng) -> Derivation:
        return tuple(rule for rule in reading if rule)

    def alternatives(self, rules: Derivation, at: int) -> Sequence[Rule]:
        only_x = plain(rules[at]) is X and not has_x(rules[:at] + rules[at + 1 :])
        return (X,) if only_x else self.by_arity[rules[at].arity]

    def redrawn(self, rules: Derivation, rng: Rng) -> Derivation:
        """Each rule drawn anew; where no leaf becomes ``x``, a random one is made it."""
        drawn = [pick(self.by_arity[rule.arity], rng) for rule in rules]
        if not has_x(drawn):
            drawn[pick([at for at, rule in enumerate(drawn) if not rule.arity], rng)] = X
        return tuple(drawn)

    def regrown(self, rules: Derivation, at: int, rng: Rng) -> Derivation | None:
        stop = extents(rules)[at]
        kinds = (True, False) if has_x(rules[:at] + rules[stop:]) else (True,)  # whether the part may be without x
        largest = stop - at + min(self.max_size - len(rules), _GROWTH)
        counts = {size: sum(self._counts[x][size] for x in kinds) for size in range(1, largest + 1)}
        if sum(counts.values()) == 1:
            return None
        size = pick([size for size, number in counts.items() if number], rng)
        rank, with_x = below(counts[size], rng), self._counts[True][size]
        part = self._ranked(size, rank) if rank < with_x else self._ranked(size, rank - with_x, False)
        return rules[:at] + part + rules[stop:]

    def insertions(self, *, neutral: bool) -> Sequence[Insertion]:
        return self._neutral if neutral else self._growing

    @cached_property
    def _growing(self) -> tuple[Insertion, ...]:
        return growing(*self.by_arity[1:])

    @cached_property
    def _neutral(self) -> tuple[Insertion, ...]:
        return neutral(*self.by_arity)

    def cross(self, first: Reading, second: Reading, rng: Rng) -> Derivation:
        """The first tree with one part replaced by one of the second that fits within the size."""
        f, g = self.filled(first, rng), self.filled(second, rng)
        stops, parts = extents(f), [g[at:stop] for at, stop in enumerate(extents(g))]
        room = self.max_size - len(f)
        at = pick(range(len(f)), rng)
        rest_has_x = has_x(f[:at] + f[stops[at] :])
        fits = [part for part in parts if len(part) <= room + stops[at] - at and (rest_has_x or has_x(part))]
        return without_surplus(f[:at] + pick(fits, rng) + f[stops[at] :], self.factors, rng)

    def largest(self, measure: Measure) -> int:
        leaves, unary, binary = self.by_arity
        largest = [0, max(measure(rule) for rule in leaves)]
        for size in range(2, self.max_size + 1):
            splits = [(left, size - 1 - left) for left in range(1, size - 1)]
            pairs = [(largest[left], largest[right]) for left, right in splits if largest[left] and largest[right]]
            sizes = [measure(rule, largest[size - 1]) for rule in unary if largest[size - 1]]
            largest.append(max([*sizes, *(measure(rule, *pair) for rule in binary for pair in pairs)], default=0))
        return max(largest)

    def rule_choices(self, limit: int) -> tuple[tuple[str, ...], ...]:
        length = min(self.max_size, limit)
        return tuple(tuple(rule.text for rule in self._rules.all if rule.arity < length - at) for at in range(length))

    def encoded(self, reading: Reading, limit: int) -> tuple[str | None, ...] | None:
        fits = len(reading) <= min(self.max_size, limit)
        return tuple(plain(rule).text for rule in reading if rule) if fits else None

    def decoded(self, choices: Sequence[Choice]) -> Derivation:
        """Rules in prefix order; where places run out they are leaves, and the last leaf is ``x`` if none was."""
        rules: list[Rule] = []
        places = 1  # still open
        for at, choice in enumerate(choices):
            room = len(choices) - at - places  # places left if each open one takes a leaf
            leaves = (X,) if places == 1 and not has_x(rules) else self.by_arity[0]
            inner = () if choice[0] in self._leaf_texts else self.by_arity[1 : 1 + min(room, 2)]
            rules.append(chosen([*leaves, *chain(*inner)], choice))
            places += rules[-1].arity - 1
            if not places:
                break
        return tuple(rules)
