"""Decisions: an expression as a vector of fixed length, which Optuna's samplers need, and back.

``template`` names the template where there are several. ``rule1``, ``rule2``, ... are the rules in prefix order; a
form leaves its ``x`` out. ``factor1``, ... are the places of the factors among all rules in prefix order, counted
from 1, or ``none``.

Every vector stands for an expression. A rule that is impossible at its place stands for a possible one: a leaf that
would leave no ``x`` for ``x``, any other for the rule whose number among the possible ones is its own modulo how many
they are. A decision that does not matter is at its first choice in every vector that :meth:`Coder.encode` gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import final

from primitives.errors import GrammarError, nearest
from primitives.grammars.derivation import Derivation, Reading
from primitives.grammars.factors import placed
from primitives.grammars.template import Template

MAX_DECISIONS = 12  # the rules of trees fill what the others leave, but get 7 at least; a long form may need more
_FEWEST_RULES = 7
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry of a vector: its name and its choices; the first is the default."""

    name: str
    choices: tuple[str, ...]


@final
class Coder:
    """Turns derivations of some templates into vectors and back.

    Args:
        templates: at least one.
    """

    def __init__(self, templates: Sequence[Template]) -> None:
        self._templates = {template.name: template for template in templates}
        self._factors = max(template.factors.most for template in templates)
        self._limit = max(_FEWEST_RULES, MAX_DECISIONS - (len(templates) > 1) - self._factors)
        self.decisions = (*self._template_decision(), *self._rule_decisions(), *self._factor_decisions())
        self._by_name = {decision.name: decision for decision in self.decisions}
        self._lengths = {template.name: len(template.rule_choices(self._limit)) for template in templates}

    def _template_decision(self) -> list[Decision]:
        return [Decision("template", tuple(self._templates))] if len(self._templates) > 1 else []

    def _rule_decisions(self) -> list[Decision]:
        """At each place the choices of all templates."""
        rows = zip_longest(*(template.rule_choices(self._limit) for template in self._templates.values()), fillvalue=())
        choices = [tuple(dict.fromkeys(chain(*row))) for row in rows]
        return [Decision(f"rule{number}", texts) for number, texts in enumerate(choices, 1)]

    def _factor_decisions(self) -> list[Decision]:
        longest = max(template.longest(self._limit) for template in self._templates.values())
        places = (_NONE, *(str(place) for place in range(1, longest + 1)))
        return [Decision(f"factor{number}", places) for number in range(1, self._factors + 1)]

    def encode(self, template: Template, reading: Reading) -> dict[str, str] | None:
        """The vector of a derivation, or None if it has more rules than there are decisions."""
        rules = template.encoded(reading, self._limit)
        if rules is None:
            return None
        vector = {decision.name: decision.choices[0] for decision in self.decisions}
        if "template" in vector:
            vector["template"] = template.name
        vector |= {f"rule{number}": text for number, text in enumerate(rules, 1) if text}
        return vector | {f"factor{number}": str(at + 1) for number, at in enumerate(placed(reading), 1)}

    def decode(self, vector: Mapping[str, str]) -> Derivation:
        """The derivation that a vector stands for.

        Raises:
            GrammarError: a decision is missing, unknown, or not one of its choices.
        """
        self._check(vector)
        template = self._templates[vector.get("template", next(iter(self._templates)))]
        names = [f"rule{place}" for place in range(1, self._lengths[template.name] + 1)]
        rules = list(template.decoded([(vector[n], self._by_name[n].choices.index(vector[n])) for n in names]))
        for place in sorted({vector[f"factor{n}"] for n in range(1, template.factors.most + 1)} - {_NONE}):
            if int(place) <= len(rules):
                rules[int(place) - 1] = template.factors.before(rules[int(place) - 1])
        return tuple(rules)

    def _check(self, vector: Mapping[str, str]) -> None:
        for name in vector:
            if name not in self._by_name:
                raise GrammarError(f"unknown decision {name!r}{nearest(str(name), self._by_name)}")
        for decision in self.decisions:
            if decision.name not in vector:
                raise GrammarError(f"decision {decision.name!r} is missing; it has {len(decision.choices)} choices")
            if vector[decision.name] not in decision.choices:
                hint = nearest(str(vector[decision.name]), decision.choices)
                raise GrammarError(f"decision {decision.name!r}: no choice {vector[decision.name]!r}{hint}")
