"""Types of derivations: whether ``x`` occurs, and over which axes the value varies.

A type is a number: 8 if the leaf ``x`` occurs, plus the axes as bits, see :mod:`primitives.operators.axes`. Where no
rule is a statistic, every derivation with an input varies over all axes, and the axes are left out. A learnable factor
changes no type, so that an axis is never there by a factor alone. A statistic of what varies over none of its axes
changes nothing, as the identity, and has the type ``VOID``, which nothing is made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from typing import final

from primitives.expression.expression import Expression
from primitives.grammars.derivation import Derivation, X, extents, inputs
from primitives.grammars.factors import plain
from primitives.grammars.patterns import INPUTS, Rule
from primitives.operators.axes import ALL_AXES, lost, mask
from primitives.operators.table import reduces

_HAS_X = ALL_AXES + 1
VOID = -1


@dataclass(frozen=True, slots=True)
class Place:
    """A place of a derivation.

    Args:
        allowed: the types that the part there may have.
        inputs: the types of the inputs of the rule there.
    """

    allowed: frozenset[int]
    inputs: tuple[int, ...]


@final
class Types:
    """The types that some rules write.

    Args:
        rules: all rules, the leaf ``x`` among them.

    Attributes:
        with_axes: a rule is a statistic, so that axes count.
        whole: the type of ``x``, above all others: a rule gives no less where an input is of a larger type.
        all: every type that some derivation has, ``whole`` first.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        known = tuple(rules)
        self.with_axes = any(rule.pattern.has_statistics for rule in known)
        self.whole = _HAS_X + (ALL_AXES if self.with_axes else 0)
        self._of: dict[tuple[Rule, tuple[int, ...]], int] = {}
        self._grouped: dict[tuple[tuple[Rule, ...], tuple[int, ...]], Mapping[int, tuple[Rule, ...]]] = {}
        self.all = self._reached(known)

    def _reached(self, rules: Sequence[Rule]) -> tuple[int, ...]:
        reached: set[int] = {self.whole}
        while True:
            ones = [(one,) for one in reached]
            pairs = [(one, other) for one in reached for other in reached]
            given: tuple[list[tuple[int, ...]], ...] = ([()], [*ones], [*pairs])
            more = {self.of(rule, *types) for rule in rules for types in given[rule.arity]} - reached - {VOID}
            if not more:
                return tuple(sorted(reached, reverse=True))
            reached |= more

    def of(self, rule: Rule, *types: int) -> int:
        """The type that a rule makes of those of its inputs."""
        found = self._of.get((rule, types))
        if found is None:
            found = self._of[rule, types] = self._written(plain(rule), types)
        return found

    def _written(self, rule: Rule, types: tuple[int, ...]) -> int:
        if rule.pattern is X.pattern:
            return self.whole
        made = dict(zip(INPUTS, types, strict=False))
        for node in rule.order:
            if node not in made:
                made[node] = _of_node(node, [made[arg] for arg in node.args])
        return made[rule.pattern] if made[rule.pattern] == VOID else made[rule.pattern] & self.whole

    def each(self, rules: Derivation) -> list[int]:
        """For each place of a derivation the type of the part that starts there."""
        found, open_ = [0] * len(rules), list[int]()
        for at in reversed(range(len(rules))):
            found[at] = self.of(rules[at], *[open_.pop() for _ in range(rules[at].arity)])
            open_.append(found[at])
        return found

    def grouped(self, rules: tuple[Rule, ...], types: tuple[int, ...]) -> Mapping[int, tuple[Rule, ...]]:
        """Rules of one number of inputs, by the type that they make of these."""
        key = rules, types
        if key not in self._grouped:
            made = [(self.of(rule, *types), rule) for rule in rules]
            self._grouped[key] = {kind: tuple(r for k, r in made if k == kind) for kind, _ in made}
        return self._grouped[key]

    def fitting(self, place: Place, rules: tuple[Rule, ...]) -> Sequence[Rule]:
        """Those of some rules, of as many inputs as a place has, that may stand there."""
        groups = self.grouped(rules, place.inputs)
        if all(kind in place.allowed for kind in groups):
            return rules
        return [rule for rule in rules if self.of(rule, *place.inputs) in place.allowed]

    def places(self, rules: Derivation, wanted: frozenset[int]) -> tuple[Place, ...]:
        """What may stand at each place of a derivation so that the whole has a wanted type while all else stays."""
        return _places(self, rules, wanted)


@lru_cache(maxsize=1024)  # a parent has many children
def _places(types: Types, rules: Derivation, wanted: frozenset[int]) -> tuple[Place, ...]:
    stops, made = extents(rules), types.each(rules)
    allowed, found = [wanted] * len(rules), list[Place]()
    for at, rule in enumerate(rules):
        starts = inputs(rules, at, stops)
        given = tuple([made[start] for start in starts])
        found.append(Place(allowed[at], given))
        for number, start in enumerate(starts):
            before, after = given[:number], given[number + 1 :]
            allowed[start] = frozenset([t for t in types.all if types.of(rule, *before, t, *after) in allowed[at]])
    return tuple(found)


def _of_node(node: Expression, types: Sequence[int]) -> int:
    """The type that a node of a pattern makes of those of its inputs."""
    joined = reduce(or_, types) if types else node.axes
    letters = reduces(node.op)
    if VOID in types or (letters and not joined & mask(letters)):
        return VOID
    return lost(joined, letters)
