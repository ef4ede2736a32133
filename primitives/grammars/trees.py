"""Free trees over leaves, unary and binary rules, up to a size; the size of a tree is its number of rules applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import final

from primitives.expressions import MAX_DEPTH, Expression
from primitives.grammars.patterns import Rule, Rules
from primitives.grammars.template import Derivation, Rng, Template, below, derive, nodes, pick, write

MAX_TREE_SIZE = 100
SMALLEST_SAMPLED = 3  # below it there are only leaves and unary rules at leaves
_GROWTH = 2  # a subtree is replaced by one that is larger by this many rules at most

Maker = Callable[[Derivation, int, Rng], Derivation]


@final
class Trees(Template[Derivation]):
    """All trees of at most ``max_size`` rules.

    Sampling draws a size from 3 to ``max_size`` uniformly and then a tree of that size uniformly, by its rank.

    Args:
        leaves: rules without inputs: x, constants, parameters; at least one.
        rules: unary and binary rules; those that ignore an input and the identity are left out, as they would
            write the same expression at many sizes.
        max_size: 1 to ``MAX_TREE_SIZE``.
    """

    def __init__(self, leaves: Sequence[Rule], rules: Sequence[Rule], max_size: int) -> None:
        self.max_size = max_size
        useful = [rule for rule in rules if rule.uses_all and not rule.is_identity]
        self._rules = Rules([*leaves, *useful])
        self._by_arity = tuple(tuple(r for r in self._rules.all if r.arity == n) for n in range(3))
        self._constants = tuple(r for r in leaves if isinstance(r.pattern.value, float))
        self._counts = self._counted()
        self._sizes = tuple(size for size in range(1, max_size + 1) if self._counts[size])

    def _counted(self) -> list[int]:
        """Number of trees of each size."""
        leaves, unary, binary = (len(rules) for rules in self._by_arity)
        counts = [0, leaves]
        for size in range(2, self.max_size + 1):
            pairs = sum(counts[left] * counts[size - 1 - left] for left in range(1, size - 1))
            counts.append(unary * counts[size - 1] + binary * pairs)
        return counts

    def count(self) -> int:
        return sum(self._counts)

    def enumerate(self) -> Iterator[Derivation]:
        return (self._ranked(size, rank) for size in self._sizes for rank in range(self._counts[size]))

    def sample(self, rng: Rng) -> Derivation:
        sizes = [size for size in self._sizes if size >= SMALLEST_SAMPLED] or self._sizes
        return self.sample_size(pick(sizes, rng), rng)

    def sample_size(self, size: int, rng: Rng) -> Derivation:
        """A tree of a size that has any, uniformly."""
        return self._ranked(size, below(self._counts[size], rng))

    def _ranked(self, size: int, rank: int) -> Derivation:
        """The tree of this rank among those of a size: leaves, unary roots, binary roots by the left input's size."""
        leaves, unary, _ = self._by_arity
        if size == 1:
            return derive(leaves[rank])
        number, rest = divmod(rank, self._counts[size - 1]) if self._counts[size - 1] else (len(unary), rank)
        if number < len(unary):
            return derive(unary[number], self._ranked(size - 1, rest))
        return self._ranked_pair(size, rank - len(unary) * self._counts[size - 1])

    def _ranked_pair(self, size: int, rank: int) -> Derivation:
        binary = self._by_arity[2]
        for left in range(1, size - 1):
            right = size - 1 - left
            pairs = self._counts[left] * self._counts[right]
            if rank < len(binary) * pairs:
                number, pair = divmod(rank, pairs)
                first, second = divmod(pair, self._counts[right])
                return derive(binary[number], self._ranked(left, first), self._ranked(right, second))
            rank -= len(binary) * pairs
        raise IndexError("no such tree")

    def write(self, derivation: Derivation) -> Expression:
        return write(derivation)

    def read(self, expression: Expression) -> Derivation | None:
        if expression.depth > MAX_DEPTH:  # a derivative, say: no rule writes it, and the recursion would be deep
            return None
        found = self._read(expression, {})
        return found if found and found.size <= self.max_size else None

    def _read(self, node: Expression, memo: dict[Expression, Derivation | None]) -> Derivation | None:
        """The smallest derivation of a node, whatever its size."""
        if node in memo:
            return memo[node]
        best = None
        for rule, inputs in self._rules.matches(node):
            args = [self._read(inner, memo) for inner in inputs if inner is not None]
            derivation = derive(rule, *[arg for arg in args if arg]) if all(args) else None
            if derivation and (best is None or derivation.size < best.size):
                best = derivation
        memo[node] = best
        return best

    def vary(self, derivation: Derivation, rng: Rng) -> Derivation:
        """One of the kinds that are possible here: point, subtree, hoist, insert, another constant."""
        found, room = nodes(derivation), self.max_size - derivation.size
        make, sites = pick([(make, sites) for make, sites in self._kinds(found, room) if sites], rng)
        at = pick(sites, rng)
        return derivation.replaced(at, make(found[at], room, rng))

    def _kinds(self, found: Sequence[Derivation], room: int) -> list[tuple[Maker, Sequence[int]]]:
        """Each kind of change with the numbers of the nodes where it is possible."""
        everywhere = range(len(found))
        constants = self._constants if len(self._constants) > 1 else ()
        return [
            (self._point, [i for i in everywhere if len(self._by_arity[found[i].rule.arity]) > 1]),
            (self._subtree, everywhere),
            (self._hoist, [i for i in everywhere if found[i].args]),
            (self._insert, everywhere if self._insertable(room) else ()),
            (self._constant, [i for i in everywhere if found[i].rule in constants]),
        ]

    def _insertable(self, room: int) -> tuple[Rule, ...]:
        return (self._by_arity[1] if room >= 1 else ()) + (self._by_arity[2] if room >= 2 else ())

    def _point(self, node: Derivation, room: int, rng: Rng) -> Derivation:
        others = [rule for rule in self._by_arity[node.rule.arity] if rule is not node.rule]
        return derive(pick(others, rng), *node.args)

    def _subtree(self, node: Derivation, room: int, rng: Rng) -> Derivation:
        largest = node.size + min(room, _GROWTH)
        return self.sample_size(pick([size for size in self._sizes if size <= largest], rng), rng)

    def _hoist(self, node: Derivation, room: int, rng: Rng) -> Derivation:
        return pick(nodes(node)[1:], rng)

    def _insert(self, node: Derivation, room: int, rng: Rng) -> Derivation:
        rule = pick(self._insertable(room), rng)
        if rule.arity == 1:
            return derive(rule, node)
        leaf = derive(pick(self._by_arity[0], rng))
        return derive(rule, node, leaf) if rng.random() < 0.5 else derive(rule, leaf, node)

    def _constant(self, node: Derivation, room: int, rng: Rng) -> Derivation:
        return derive(pick([rule for rule in self._constants if rule is not node.rule], rng))

    def cross(self, first: Derivation, second: Derivation, rng: Rng) -> Derivation:
        """The first tree with one subtree replaced by one of the second that fits within the size."""
        at = pick(range(first.size), rng)
        largest = self.max_size - first.size + nodes(first)[at].size
        return first.replaced(at, pick([node for node in nodes(second) if node.size <= largest], rng))

    def largest(self) -> tuple[int, int]:
        sizes, depths = [0, 1], [0, 1]
        for size in range(2, self.max_size + 1):
            shapes = [(rule, (size - 1,)) for rule in self._by_arity[1]] if self._counts[size - 1] else []
            wide = [(i, size - 1 - i) for i in range(1, size - 1) if self._counts[i] * self._counts[size - 1 - i]]
            written = [*shapes, *((rule, split) for rule in self._by_arity[2] for split in wide)]
            sizes.append(max((rule.size(*(sizes[i] for i in split)) for rule, split in written), default=0))
            depths.append(max((rule.depth(*(depths[i] for i in split)) for rule, split in written), default=0))
        return max(sizes), max(depths)
