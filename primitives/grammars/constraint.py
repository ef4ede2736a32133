"""Constraints: what has to be proved of every member of a grammar, beside its being written by the rules."""

from __future__ import annotations

from dataclasses import dataclass

from primitives.errors import GrammarError
from primitives.expression.expression import Expression
from primitives.monotone import Direction, is_proved
from primitives.quoting import quoted

SAMPLES = 2_000  # drawn for one member, half a second
CHANGES = 200  # mutations or children drawn for one that is a member
COUNTED = 50_000  # derivations that are proved one by one to count members


@dataclass(frozen=True, slots=True)
class Constraint:
    """What is proved of all members.

    Args:
        monotone: their direction, see :func:`primitives.monotone.monotonicity`; None: nothing is asked for.
    """

    monotone: Direction | None = None

    @property
    def is_none(self) -> bool:
        """Nothing is asked for."""
        return self.monotone is None

    def allows(self, f: Expression) -> bool:
        """True if the expression has what is asked for."""
        return self.monotone is None or is_proved(f, self.monotone)

    def too_few(self, name: str, where: str = "") -> GrammarError:
        """The error of a grammar in which hardly anything has a proof.

        Args:
            name: of the grammar.
            where: which part of it was drawn from.
        """
        return GrammarError(
            f"the grammar {quoted(name)} has monotone: {self.monotone}, but of {SAMPLES:,} samples{where} none is "
            f"proved {self.monotone}; give it more rules of that kind, or leave 'monotone' out"
        )
