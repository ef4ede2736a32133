"""Derived: a template whose expressions are derivations, rules in prefix order, as forms and trees are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from primitives.expression.expression import Expression
from primitives.grammars.derivation import Reading, write
from primitives.grammars.mutation import KINDS
from primitives.grammars.parts.part import Part
from primitives.grammars.template import Rng, Template, with_factors


@final
class Derived(Part[Reading]):
    """A template of derivations as a part of a grammar.

    Args:
        template: what makes and reads the derivations.
    """

    def __init__(self, template: Template) -> None:
        self.template, self.name = template, template.name
        self.kinds = {kind: weight for kind, (_, weight) in KINDS.items()}

    def count(self, size: int | None = None) -> int:
        return self.template.count(size)

    def sizes(self) -> tuple[int, ...]:
        return self.template.sizes()

    def enumerate(self) -> Iterator[Expression]:
        return map(write, self.template.enumerate())

    def sample(self, rng: Rng, size: int | None = None) -> Expression:
        return write(with_factors(self.template.sample(rng, size), self.template.factors, rng))

    def read(self, expression: Expression) -> Reading | None:
        return self.template.read(expression)

    def written(self, reading: Reading, rng: Rng) -> Expression:
        return write(self.template.filled(reading, rng))

    def changed(self, reading: Reading, kind: str, rng: Rng) -> Expression | None:
        shown = [at for at, rule in enumerate(reading) if rule]
        changed = KINDS[kind][0](self.template, self.template.filled(reading, rng), shown, rng)
        return None if changed is None else write(changed)

    def crossed(self, first: Reading, second: Reading, rng: Rng) -> Expression:
        return write(self.template.cross(first, second, rng))
