"""Rooted templates: one rule at the root of all derivations, above derivations of another template.

Such is ``layers(f1, ..., fk)``, one function per place, as SAFS chooses them (arXiv 2305.10964), and the scale and
shift per channel with which the layers of EvoNorm end (arXiv 2004.02967).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import final

from primitives.expression.expression import Expression, make_node
from primitives.grammars.derivation import Derivation, Reading, ends
from primitives.grammars.insertions import Insertion
from primitives.grammars.patterns import INPUTS, Rule
from primitives.grammars.template import Choice, Measure, Rng, Template, below, pick, without_surplus
from primitives.operators.operator import LAYERS


@final
class Rooted(Template):
    """All derivations of a root above as many derivations of another template as it has inputs.

    Args:
        name: of the template.
        root: a rule that uses each of its inputs and varies over all axes where they do; :func:`layers_rule` makes one.
        inner: what stands below it.
    """

    def __init__(self, name: str, root: Rule, inner: Template) -> None:
        self.name = name
        self._root, self._inner = Rule(root.text, root.pattern, root.arity, is_root=True), inner
        self.factors, self.fixed, self.constants = inner.factors, inner.fixed, inner.constants
        self.max_size = 1 + root.arity * inner.max_size
        self._ways = self._counted()

    def _counted(self) -> list[dict[int, int]]:
        """How many rows of 0, 1, ... inner derivations there are, by their size together."""
        ways = [{0: 1}]
        for _ in range(self._root.arity):
            longer: dict[int, int] = {}
            for size, number in ways[-1].items():
                for each in self._inner.sizes():
                    longer[size + each] = longer.get(size + each, 0) + number * self._inner.count(each)
            ways.append(longer)
        return ways

    def count(self, size: int | None = None) -> int:
        return self._inner.count() ** self._root.arity if size is None else self._ways[-1].get(size - 1, 0)

    def enumerate(self) -> Iterator[Derivation]:
        return self._rows((self._root,), self._root.arity)

    def _rows(self, before: Derivation, number: int) -> Iterator[Derivation]:
        if not number:
            yield before
            return
        for part in self._inner.enumerate():
            yield from self._rows((*before, *part), number - 1)

    def sizes(self) -> tuple[int, ...]:
        return tuple(sorted(1 + size for size in self._ways[-1]))

    def sample(self, rng: Rng, size: int | None = None) -> Derivation:
        if size is None:
            return (self._root, *chain(*[self._inner.sample(rng) for _ in range(self._root.arity)]))
        rules: Derivation = (self._root,)
        left = size - 1
        for number in reversed(range(self._root.arity)):
            part = self._size_of_part(left, self._ways[number], rng)
            rules, left = (*rules, *self._inner.sample(rng, part)), left - part
        return rules

    def _size_of_part(self, left: int, rest: dict[int, int], rng: Rng) -> int:
        """The size of the next part, by how many rows have it, where so many rules are left for it and the rest."""
        counts = {each: self._inner.count(each) * rest.get(left - each, 0) for each in self._inner.sizes()}
        drawn = below(sum(counts.values()), rng)
        for each, number in counts.items():
            if drawn < number:
                return each
            drawn -= number
        raise IndexError("no such size")

    def read(self, expression: Expression) -> Reading | None:
        is_layers = self._root.pattern.op == LAYERS
        if is_layers and (expression.op != LAYERS or len(expression.args) != self._root.arity):
            return None
        inputs = expression.args if is_layers else self._root.match(expression)
        parts = [self._inner.read(part) for part in inputs or () if part is not None]
        if not parts or None in parts:
            return None
        reading = (self._root, *chain(*[part for part in parts if part]))
        return reading if self.factors.allow(reading) else None

    def _parts(self, rules: Reading) -> list[Reading]:
        """The parts of a derivation, or of a reading, in which what is not shown counts as in its form."""
        if self._inner.fixed:
            size = self._inner.max_size
            return [rules[at : at + size] for at in range(1, len(rules), size)]
        stops, starts = ends([rule.arity if rule else 0 for rule in rules]), [1]
        while stops[starts[-1]] < len(rules):
            starts.append(stops[starts[-1]])
        return [rules[start : stops[start]] for start in starts]

    def _derivations(self, rules: Derivation) -> list[Derivation]:
        return [tuple(rule for rule in part if rule) for part in self._parts(rules)]

    def _below(self, rules: Derivation, at: int) -> tuple[Derivation, Derivation, Derivation, int]:
        """What stands before the part that has a place, that part, what stands behind it, and the place within it."""
        start = 1
        for part in self._derivations(rules):
            if at < start + len(part):
                return rules[:start], part, rules[start + len(part) :], at - start
            start += len(part)
        raise IndexError(at)

    def accepts(self, rules: Derivation) -> bool:
        is_rooted = rules[0] is self._root and self.factors.allow(rules)
        return is_rooted and all(self._inner.accepts(part) for part in self._derivations(rules))

    def filled(self, reading: Reading, rng: Rng) -> Derivation:
        return (self._root, *chain(*[self._inner.filled(part, rng) for part in self._parts(reading)]))

    def alternatives(self, rules: Derivation, at: int) -> Sequence[Rule]:
        if not at:
            return (self._root,)
        _, part, _, place = self._below(rules, at)
        return self._inner.alternatives(part, place)

    def redrawn(self, rules: Derivation, rng: Rng) -> Derivation:
        return (self._root, *chain(*[self._inner.redrawn(part, rng) for part in self._derivations(rules)]))

    def regrown(self, rules: Derivation, at: int, rng: Rng) -> Derivation | None:
        if not at:
            return None
        before, part, behind, place = self._below(rules, at)
        grown = self._inner.regrown(part, place, rng)
        return grown and (*before, *grown, *behind)

    def insertions(self, *, neutral: bool) -> Sequence[Insertion]:
        return self._inner.insertions(neutral=neutral)

    def cross(self, first: Reading, second: Reading, rng: Rng) -> Derivation:
        """One part crossed with that of the other parent, each of the others from one parent or the other."""
        pairs = list(zip(self._parts(first), self._parts(second), strict=True))
        crossed = pick(range(len(pairs)), rng)
        rules: Derivation = (self._root,)
        for number, (one, other) in enumerate(pairs):
            if number == crossed:
                part = self._inner.cross(one, other, rng)
            else:
                part = self._inner.filled(pick((one, other), rng), rng)
            rules = (*rules, *part)
        return without_surplus(rules, self.factors, rng)

    def largest(self, measure: Measure) -> int:
        return measure(self._root, *[self._inner.largest(measure)] * self._root.arity)

    def longest(self, limit: int) -> int:
        return 1 + self._root.arity * self._inner.longest(self._each(limit))

    def _each(self, limit: int) -> int:
        """The decisions of each part."""
        return max(1, limit // self._root.arity)

    def rule_choices(self, limit: int) -> tuple[tuple[str, ...], ...]:
        return self._inner.rule_choices(self._each(limit)) * self._root.arity

    def encoded(self, reading: Reading, limit: int) -> tuple[str | None, ...] | None:
        each = self._each(limit)
        parts = [self._inner.encoded(part, each) for part in self._parts(reading)]
        if None in parts:
            return None
        length = len(self._inner.rule_choices(each))
        return tuple(chain(*[(*part, *[None] * (length - len(part))) for part in parts if part is not None]))

    def decoded(self, choices: Sequence[Choice]) -> Derivation:
        length = len(choices) // self._root.arity
        parts = [choices[at : at + length] for at in range(0, len(choices), length)]
        return (self._root, *chain(*[self._inner.decoded(part) for part in parts]))


def layers_rule(number: int) -> Rule:
    """``layers(...)`` above so many functions, one for each run of places."""
    return Rule(f"{LAYERS}-{number}", make_node(LAYERS, *INPUTS[:number]), number)
