"""Proofs: what is known for certain of the direction of an expression, and of its curvature and bounds.

They hold for real numbers. In a dtype each operator is rounded, and the value may step back by a few units of the last
place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from primitives.expression.expression import Expression
from primitives.expression.traversal import postorder
from primitives.monotone.facts import Facts, both, identity
from primitives.monotone.graph import facts_of, known_of, without_rule
from primitives.monotone.pieces import by_pieces
from primitives.monotone.refutation import Pair, falling_pair, looks_monotone, rising_pair

Direction = Literal["increasing", "decreasing"]
WANTED: tuple[Direction, ...] = get_args(Direction)


@dataclass(frozen=True, slots=True)
class Monotonicity:
    """What is certain of a function f of x, on the whole line and for all real values of its parameters.

    A function is increasing if it never falls: flat parts count. Of ``paired(f, g)`` the value counts, which is f.

    Args:
        proved: ``"increasing"``, ``"decreasing"``, ``"constant"``, or "" without a proof.
        falls: two points between which it falls, so that it is not increasing; None where none was found.
        rises: likewise, so that it is not decreasing.
        convex: it is proved convex.
        concave: it is proved concave.
        low: a proved lower bound; None without one.
        high: a proved upper bound; None without one.
        least_slope: a proved lower bound of (f(x2) - f(x1)) / (x2 - x1); None without one.
        greatest_slope: a proved upper bound; the larger of both without signs is a Lipschitz constant.
        missing: why there is no proof, or "".
    """

    proved: str
    falls: Pair | None
    rises: Pair | None
    convex: bool
    concave: bool
    low: float | None
    high: float | None
    least_slope: float | None
    greatest_slope: float | None
    missing: str

    @property
    def verdict(self) -> str:
        """``"proved"``, ``"refuted"`` (neither increasing nor decreasing) or ``"unknown"``."""
        return "proved" if self.proved else "refuted" if self.falls and self.rises else "unknown"


def monotonicity(expression: Expression) -> Monotonicity:
    """Prove, or refute, that an expression is monotone; takes a few milliseconds."""
    unruled = without_rule(expression)
    facts = _proved(expression)
    known = facts or Facts()
    proved = _direction(known)
    refutable = unruled is None
    return Monotonicity(
        proved=proved,
        falls=falling_pair(expression) if refutable and proved not in ("increasing", "constant") else None,
        rises=rising_pair(expression) if refutable and proved not in ("decreasing", "constant") else None,
        convex=known.convex,
        concave=known.concave,
        low=_finite(known.low),
        high=_finite(known.high),
        least_slope=_finite(known.slopes[0]),
        greatest_slope=_finite(known.slopes[1]),
        missing="" if proved else _missing(expression, unruled, facts),
    )


def is_proved(expression: Expression, direction: Direction) -> bool:
    """True if an expression is proved to have a direction; a constant has both."""
    facts = _whole(expression)
    if facts is not None and getattr(facts, direction):
        return True
    if without_rule(expression) is not None or not looks_monotone(expression, direction == "increasing"):
        return False
    facts = _proved(expression)
    return facts is not None and bool(getattr(facts, direction))


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


def _direction(facts: Facts) -> str:
    if facts.constant:
        return "constant"
    return "increasing" if facts.increasing else "decreasing" if facts.decreasing else ""


@lru_cache(maxsize=4096)
def _whole(expression: Expression) -> Facts | None:
    return facts_of(expression, identity())


@lru_cache(maxsize=4096)
def _proved(expression: Expression) -> Facts | None:
    """On the whole line at once, and where that does not show a direction, by pieces."""
    facts = _whole(expression)
    if (facts is not None and _direction(facts)) or without_rule(expression) is not None:
        return facts
    return both(facts, by_pieces(expression))


def _missing(expression: Expression, unruled: str | None, facts: Facts | None) -> str:
    if unruled is not None:
        return f"no rule for {unruled!r}"
    if facts is not None:
        return "the rules give no direction"
    known = known_of(expression, identity())
    node = next(node for node in postorder((expression,)) if known[node] is None)
    return f"{node.text.partition(';')[0]} is not proved to have a value for every x"
