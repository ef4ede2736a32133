"""Pieces: the line is cut where an expression may change its formula, each piece is proved, and the pieces are joined.

A function that never falls on two neighbouring closed pieces never falls on both together. A comparison of x with a
number is settled inside a piece, so that the branch that is not taken there does not count; the function at the cut
then has to lie between the neighbouring pieces.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from primitives.expression.expression import Expression, constant, with_args
from primitives.expression.traversal import postorder, rewrite
from primitives.monotone.facts import Facts, identity, number
from primitives.monotone.graph import facts_of
from primitives.monotone.intervals import hull
from primitives.operators.formulas import expand
from primitives.operators.kernels import COMPARISONS
from primitives.operators.table import find_operator
from primitives.operators.trends import claims

MAX_CUTS = 8
_HOLDS = {
    "gt": lambda x, c: x > c,
    "ge": lambda x, c: x >= c,
    "lt": lambda x, c: x < c,
    "le": lambda x, c: x <= c,
}
_TURNED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


def by_pieces(root: Expression) -> Facts | None:
    """Directions and bounds of an expression whose operators all have rules; None where a piece has no proof."""
    root = expand(root, "canonical")
    cuts = _cuts(root)
    ends = [-math.inf, *cuts, math.inf]
    parts = [_at(root, _inside(*piece)) for piece in itertools.pairwise(ends)]
    points = [_at(root, cut) for cut in cuts]
    proved = [facts_of(part, identity(*piece)) for part, piece in zip(parts, itertools.pairwise(ends), strict=True)]
    known = [facts for facts in proved if facts is not None]
    at_cuts = [
        _joint((left, middle, right), cut)
        for left, middle, right, cut in zip(parts[:-1], points, parts[1:], cuts, strict=True)
    ]
    if len(known) < len(proved) or not all(at_cuts):
        return None
    joints = [joint for joint in at_cuts if joint]
    low, high = hull(*(facts.ends for facts in known), *(joint.ends for joint in joints))
    return Facts(
        low=low,
        high=high,
        increasing=all(facts.increasing for facts in (*known, *joints)),
        decreasing=all(facts.decreasing for facts in (*known, *joints)),
    )


def _joint(parts: tuple[Expression, Expression, Expression], cut: float) -> Facts | None:
    """How it steps from the left piece's end over the value at the cut to the right piece's beginning.

    Expressions that are one object have one value; others are compared by their bounds.
    """
    three = [facts_of(each, number(cut)) for each in parts]
    known = [facts for facts in three if facts is not None]
    if len(known) < 3:
        return None
    steps = [
        (a, b) for (first, a), (second, b) in itertools.pairwise(zip(parts, known, strict=True)) if first is not second
    ]
    return Facts(
        low=known[1].low,
        high=known[1].high,
        increasing=all(a.high <= b.low for a, b in steps),
        decreasing=all(a.low >= b.high for a, b in steps),
    )


def _inside(low: float, high: float) -> float:
    """A number between two ends."""
    if math.isinf(low) or math.isinf(high):
        return high - 1.0 if math.isfinite(high) else low + 1.0 if math.isfinite(low) else 0.0
    return low + 0.5 * (high - low)


def _at(root: Expression, x: float) -> Expression:
    """The expression with its comparisons of x with numbers as they are at a point."""

    def change(node: Expression, args: tuple[Expression, ...]) -> Expression:
        compared = _compared(node)
        return with_args(node, args) if compared is None else constant(_HOLDS[compared[0]](x, compared[1]))

    return rewrite(root, change)


def _compared(node: Expression) -> tuple[str, float] | None:
    """The comparison of x with a number that a node is."""
    if node.op not in COMPARISONS:
        return None
    left, right = node.args
    if left.op == "x" and isinstance(right.value, float):
        return node.op, right.value
    return (_TURNED[node.op], left.value) if right.op == "x" and isinstance(left.value, float) else None


def _cuts(root: Expression) -> Sequence[float]:
    """0, the numbers with which x is compared, and where operators of x turn."""
    found = {0.0}
    for node in postorder((root,)):
        if not any(arg.op == "x" for arg in node.args):
            continue
        found |= {arg.value for arg in node.args if isinstance(arg.value, float) and node.op in _SWITCHES}
        if len(node.args) == 1:
            texts = find_operator(node.op).monotone
            ends = [end for text in texts for claim in claims(text) for end in (claim.low, claim.high)]
            found |= {end for end in ends if math.isfinite(end)}
    return sorted(sorted(found, key=abs)[:MAX_CUTS])


_SWITCHES = frozenset({*COMPARISONS, "max", "min"})
