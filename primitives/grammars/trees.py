"""Free trees over leaves, unary and binary rules, up to a size; the size of a tree is its number of rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import final

from primitives.expression.expression import MAX_DEPTH, Expression
from primitives.grammars.counting.ranks import Production, Ranks
from primitives.grammars.counting.types import Place, Types
from primitives.grammars.derivation import Derivation, Reading, X, extents, has_x, leaves_and_rules
from primitives.grammars.factors import Factors, plain
from primitives.grammars.insertions import Insertion, growing, neutral
from primitives.grammars.patterns import Rule
from primitives.grammars.rules import Rules
from primitives.grammars.template import Choice, Measure, Rng, Template, below, chosen, pick, without_surplus

MAX_TREE_SIZE = 100
SMALLEST_SAMPLED = 3  # below it there are only leaves and unary rules at leaves
_TRIES = 50  # what lost an axis is drawn again so often
_GROWTH = 2  # a part is replaced by one that is larger by this many rules at most


@final
class Trees(Template):
    """All trees of at most ``max_size`` rules in which ``x`` occurs, and that vary over all axes.

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
        first, useful = leaves_and_rules(leaves, rules)
        self._rules = Rules([*first, *useful], self.factors)
        self.by_arity = tuple(tuple(rule for rule in self._rules.all if rule.arity == n) for n in range(3))
        self._leaf_texts = {rule.text for rule in self.by_arity[0]}
        numbers = [(rule.pattern.value, rule) for rule in self.by_arity[0]]
        ascending = sorted((value, rule.text, rule) for value, rule in numbers if isinstance(value, float))
        self.constants = tuple(rule for *_, rule in ascending)
        self._types = Types(self._rules.all)
        self._wanted = frozenset({self._types.whole})
        self._ranks = Ranks(dict(enumerate(self._productions())), self._types)
        self._sizes = tuple(size for size in range(1, max_size + 1) if self._ranks.count(size, self._types.whole))

    def _productions(self) -> Iterator[list[Production]]:
        """The ways to write trees of each size from 0."""
        leaves, unary, binary = self.by_arity
        yield from ([], [Production(leaves)])
        for size in range(2, self.max_size + 1):
            pairs = [Production(binary, (left, size - 1 - left)) for left in range(1, size - 1)]
            yield [Production(unary, (size - 1,)), *pairs]

    def count(self, size: int | None = None) -> int:
        sizes = self._sizes if size is None else (size,) if size in self._sizes else ()
        return sum(self._ranks.count(each, self._types.whole) for each in sizes)

    def enumerate(self) -> Iterator[Derivation]:
        return (self._whole(size, rank) for size in self._sizes for rank in range(self.count(size)))

    def sizes(self) -> tuple[int, ...]:
        return self._sizes

    def sample(self, rng: Rng, size: int | None = None) -> Derivation:
        if size is None:
            size = pick([n for n in self._sizes if n >= SMALLEST_SAMPLED] or self._sizes, rng)
        return self._whole(size, below(self.count(size), rng))

    def _whole(self, size: int, rank: int) -> Derivation:
        return self._ranks.ranked(size, self._types.whole, rank)

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
        return reading if reading and self.accepts(reading) else None

    def accepts(self, rules: Derivation) -> bool:
        fits = len(rules) <= self.max_size and self.factors.allow(rules)
        return fits and self._types.each(rules)[0] == self._types.whole

    def filled(self, reading: Reading, rng: Rng) -> Derivation:
        return tuple(rule for rule in reading if rule)

    def alternatives(self, rules: Derivation, at: int) -> Sequence[Rule]:
        return self._types.fitting(self._types.places(rules, self._wanted)[at], self.by_arity[rules[at].arity])

    def redrawn(self, rules: Derivation, rng: Rng) -> Derivation:
        """Each rule drawn anew; where no leaf becomes ``x``, a random one is made it.

        What lost an axis is drawn again; after 50 times the rules stay as they are.
        """
        for _ in range(_TRIES):
            drawn = [pick(self.by_arity[rule.arity], rng) for rule in rules]
            if not has_x(drawn):
                drawn[pick([at for at, rule in enumerate(drawn) if not rule.arity], rng)] = X
            if self.accepts(tuple(drawn)):
                return tuple(drawn)
        return tuple(plain(rule) for rule in rules)

    def regrown(self, rules: Derivation, at: int, rng: Rng) -> Derivation | None:
        stop = extents(rules)[at]
        kinds = self._types.places(rules, self._wanted)[at].allowed
        largest = stop - at + min(self.max_size - len(rules), _GROWTH)
        counts = {size: sum(self._ranks.count(size, kind) for kind in kinds) for size in range(1, largest + 1)}
        if sum(counts.values()) == 1:
            return None
        size = pick([size for size, number in counts.items() if number], rng)
        return rules[:at] + self._ranks.nth(size, kinds, below(counts[size], rng)) + rules[stop:]

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
        allowed = self._types.places(f, self._wanted)[at].allowed
        types, longest = self._types.each(g), room + stops[at] - at
        fits = [part for part, kind in zip(parts, types, strict=True) if len(part) <= longest and kind in allowed]
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

    def longest(self, limit: int) -> int:
        return min(self.max_size, limit)

    def rule_choices(self, limit: int) -> tuple[tuple[str, ...], ...]:
        length = self.longest(limit)
        return tuple(tuple(rule.text for rule in self._rules.all if rule.arity < length - at) for at in range(length))

    def encoded(self, reading: Reading, limit: int) -> tuple[str | None, ...] | None:
        fits = len(reading) <= self.longest(limit)
        return tuple(plain(rule).text for rule in reading if rule) if fits else None

    def decoded(self, choices: Sequence[Choice]) -> Derivation:
        """Rules in prefix order; where places run out they are leaves.

        A rule is possible if the rest can still be completed to a member: if it is one with ``x`` in all open places.
        """
        rules: Derivation = ()
        places = 1  # still open
        for at, choice in enumerate(choices):
            room = len(choices) - at - places  # places left if each open one takes a leaf
            allowed = self._types.places((*rules, *(X,) * places), self._wanted)[at].allowed
            arities = range(1 if choice[0] in self._leaf_texts else 1 + min(room, 2))
            open_ = [Place(allowed, (self._types.whole,) * arity) for arity in arities]
            possible = [self._types.fitting(place, self.by_arity[len(place.inputs)]) for place in open_]
            rules = (*rules, chosen([*chain(*possible)], choice))
            places += rules[-1].arity - 1
            if not places:
                break
        return rules
