"""Decisions: an expression as a vector of fixed length, which Optuna's samplers need, and back.

``template`` names the template where there are several. The other decisions are those of forms and trees,
:mod:`primitives.grammars.parts.rule_vectors`, and those of graphs, :mod:`primitives.grammars.graphs.vectors`.

Every vector stands for an expression. A choice that is impossible at its place stands for a possible one. A decision
that does not matter is at its first choice in every vector that :meth:`Coder.encode` gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

from primitives.errors import GrammarError, nearest
from primitives.expression.expression import Expression
from primitives.grammars.graphs.graphs import Graphs
from primitives.grammars.graphs.vectors import GraphVectors
from primitives.grammars.parts.decision import Decision, Vectors
from primitives.grammars.parts.derived import Derived
from primitives.grammars.parts.part import Part
from primitives.grammars.parts.rule_vectors import RuleVectors

__all__ = ["Coder", "Decision"]


@final
class Coder:
    """Turns members of some parts into vectors and back.

    Args:
        parts: at least one.
    """

    def __init__(self, parts: Sequence[Part[Any]]) -> None:
        self._parts = {part.name: part for part in parts}
        several = [Decision("template", tuple(self._parts))] if len(parts) > 1 else []
        derived = [part.template for part in parts if isinstance(part, Derived)]
        graphs = [part for part in parts if isinstance(part, Graphs)]
        self._vectors: dict[str, Vectors[Any]] = {}
        if derived:
            self._vectors |= dict.fromkeys([each.name for each in derived], RuleVectors(derived, len(several)))
        if graphs:
            self._vectors |= dict.fromkeys([each.name for each in graphs], GraphVectors(graphs))
        kinds = dict.fromkeys(self._vectors.values())
        self.decisions = (*several, *(decision for each in kinds for decision in each.decisions))
        self._by_name = {decision.name: decision for decision in self.decisions}

    def encode(self, part: Part[Any], reading: object) -> dict[str, str] | None:
        """The vector of what a part read, or None if that takes more decisions than there are."""
        encoded = self._vectors[part.name].encoded(part.name, reading)
        if encoded is None:
            return None
        vector = {decision.name: decision.choices[0] for decision in self.decisions}
        if "template" in vector:
            vector["template"] = part.name
        return vector | encoded

    def decode(self, vector: Mapping[str, str]) -> Expression:
        """The expression that a vector stands for.

        Raises:
            GrammarError: a decision is missing, unknown, or not one of its choices.
        """
        self._check(vector)
        name = vector.get("template", next(iter(self._parts)))
        choices = {each: (text, self._by_name[each].choices.index(text)) for each, text in vector.items()}
        return self._vectors[name].decoded(name, choices)

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
