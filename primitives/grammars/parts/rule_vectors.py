"""Vectors of derivations: their rules in prefix order, and the places of their factors.

A form leaves its ``x`` out. ``factor1``, ... are the places of the factors among all rules in prefix order, counted
from 1, or ``none``.

A rule that is impossible at its place stands for a possible one: a leaf that would leave no ``x`` for ``x``, any other
for the rule whose number among the possible ones is its own modulo how many they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import final

from primitives.expression.expression import Expression
from primitives.grammars.derivation import Reading, write
from primitives.grammars.factors import placed
from primitives.grammars.parts.decision import Decision, Vectors
from primitives.grammars.template import Choice, Template

MAX_DECISIONS = 12  # the rules of trees fill what the others leave, but get 7 at least; a long form may need more
_FEWEST_RULES = 7
_NONE = "none"


@final
class RuleVectors(Vectors[Reading]):
    """Turns derivations of some templates into vectors and back.

    Args:
        templates: at least one.
        others: how many decisions stand beside.
    """

    def __init__(self, templates: Sequence[Template], others: int) -> None:
        self._templates = {template.name: template for template in templates}
        self._factors = max(template.factors.most for template in templates)
        self._limit = max(_FEWEST_RULES, MAX_DECISIONS - others - self._factors)
        self.decisions = (*self._rule_decisions(), *self._factor_decisions())
        self._lengths = {template.name: len(template.rule_choices(self._limit)) for template in templates}

    def _rule_decisions(self) -> list[Decision]:
        """At each place the choices of all templates."""
        rows = zip_longest(*(template.rule_choices(self._limit) for template in self._templates.values()), fillvalue=())
        choices = [tuple(dict.fromkeys(chain(*row))) for row in rows]
        return [Decision(f"rule{number}", texts) for number, texts in enumerate(choices, 1)]

    def _factor_decisions(self) -> list[Decision]:
        longest = max(template.longest(self._limit) for template in self._templates.values())
        places = (_NONE, *(str(place) for place in range(1, longest + 1)))
        return [Decision(f"factor{number}", places) for number in range(1, self._factors + 1)]

    def encoded(self, name: str, reading: Reading) -> dict[str, str] | None:
        rules = self._templates[name].encoded(reading, self._limit)
        if rules is None:
            return None
        vector = {f"rule{number}": text for number, text in enumerate(rules, 1) if text}
        return vector | {f"factor{number}": str(at + 1) for number, at in enumerate(placed(reading), 1)}

    def decoded(self, name: str, vector: Mapping[str, Choice]) -> Expression:
        template = self._templates[name]
        rules = list(template.decoded([vector[f"rule{place}"] for place in range(1, self._lengths[name] + 1)]))
        places = {vector[f"factor{number}"][0] for number in range(1, template.factors.most + 1)} - {_NONE}
        for place in sorted(places):
            if int(place) <= len(rules):
                rules[int(place) - 1] = template.factors.before(rules[int(place) - 1])
        return write(tuple(rules))
