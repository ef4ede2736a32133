"""Proofs: what is known for certain of the direction of an expression, and of its curvature and bounds.

They hold for real numbers. In a dtype each operator is rounded, and the value may step back by a few units of the last
place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Literal, get_args

from primitives.expression.expression import Expression
from primitives.monotone.facts import Facts, both, either, identity
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
    """Prove, or refute, that an expression is monotone; takes a few milliseconds.

    Of ``layers(f1, ..., fk)`` is proved what is proved of each part, and one part is enough to refute. A statistic and
    the second input of a gate have no rule.
    """
    facts = reduce(_of_both, [_proved(part) for part in expression.parts])
    known = facts or Facts()
    proved = _direction(known)
    ruled = [part for part in expression.parts if without_rule(part) is None]
    return Monotonicity(
        proved=proved,
        falls=_first(falling_pair, ruled) if proved not in ("increasing", "constant") else None,
        rises=_first(rising_pair, ruled) if proved not in ("decreasing", "constant") else None,
        convex=known.convex,
        concave=known.concave,
        low=_finite(known.low),
        high=_finite(known.high),
        least_slope=_finite(known.slopes[0]),
        greatest_slope=_finite(known.slopes[1]),
        missing="" if proved else _missing(expression, facts),
    )


def _of_both(first: Facts | None, second: Facts | None) -> Facts | None:
    return None if first is None or second is None else either(first, second)


def _first(pair_of: Callable[[Expression], Pair | None], parts: Sequence[Expression]) -> Pair | None:
    return next(filter(None, map(pair_of, parts)), None)


def is_proved(expression: Expression, direction: Direction) -> bool:
    """True if an expression, or each part of ``layers(...)``, is proved to have a direction; a constant has both."""
    return all(_is_proved(part, direction) for part in expression.parts)


def _is_proved(expression: Expression, direction: Direction) -> bool:
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


def _missing(expression: Expression, facts: Facts | None) -> str:
    unruled = next(filter(None, map(without_rule, expression.parts)), None)
    if unruled is not None:
        return f"no rule for {unruled!r}"
    if facts is not None:
        return "the rules give no direction"
    known = [known_of(part, identity()) for part in expression.parts]
    node = next(node for nodes in known for node in nodes if nodes[node] is None)
    return f"{node.text.partition(';')[0]} is not proved to have a value for every x"
