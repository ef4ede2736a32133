"""Rules of the operators whose directions hang on the signs of their inputs: products, quotients, powers, selections.

Sums go by their columns; their bounds, too, are here, as they must stay exact where they can.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from primitives.monotone.columns import bounds_at, by_columns, composed, slopes_of
from primitives.monotone.facts import Facts, either, negated, number, settled
from primitives.monotone.intervals import WHOLE, Ends, hull, inverse, meet, plus, product, times, total
from primitives.operators.table import find_operator
from primitives.operators.trends import CURVATURES, claims

Rule = Callable[..., Facts | None]


def _added(a: Facts, b: Facts) -> Facts | None:
    ends = total(a.low, b.low)[0], total(a.high, b.high)[1]
    nonzero = ((a.is_nonnegative and b.is_nonnegative) or (a.is_nonpositive and b.is_nonpositive)) and (
        a.nonzero or b.nonzero
    )
    return _by_row("add", ends, (a, b), nonzero=nonzero)


def _subtracted(a: Facts, b: Facts) -> Facts | None:
    return _added(a, negated(b))


def _by_row(name: str, ends: Ends, args: Sequence[Facts], *, nonzero: bool = False) -> Facts:
    row = find_operator(name)
    parts = [claims(text) for text in row.monotone]
    bounds = Facts(low=ends[0], high=ends[1], nonzero=nonzero)
    return settled(composed(bounds, parts, claims(row.curvature, CURVATURES), args, slopes_of(row)))


def multiplied(a: Facts, b: Facts) -> Facts:
    """a*b: f2*g2 - f1*g1 = (f2 - f1)*g2 + f1*(g2 - g1) has the sign of its terms where they have one.

    A product of convex functions from 0 on that go the same way is convex, of concave ones that go opposite ways
    concave (Boyd and Vandenberghe 2004, exercise 3.32).
    """
    low, high = times(a.ends, b.ends)
    convex, concave = _bent(a, b)
    return settled(
        Facts(
            low=low,
            high=high,
            nonzero=a.nonzero and b.nonzero,
            increasing=_rises(a, b) and _rises(b, a),
            decreasing=_rises(negated(a), b) and _rises(negated(b), a),
            convex=convex,
            concave=concave,
            slopes=plus(times(a.slopes, b.ends), times(a.ends, b.slopes)),
        )
    )


def _rises(changing: Facts, other: Facts) -> bool:
    """The change of one factor times the other is never below 0."""
    up, down = changing.increasing and other.is_nonnegative, changing.decreasing and other.is_nonpositive
    return changing.constant or up or down


def _bent(a: Facts, b: Facts) -> tuple[bool, bool]:
    """Whether a product is convex, and whether it is concave."""
    for factor, f in ((a, b), (b, a)):
        if factor.constant:
            up, down = factor.is_nonnegative, factor.is_nonpositive
            convex = f.affine or (up and f.convex) or (down and f.concave)
            return convex, f.affine or (up and f.concave) or (down and f.convex)
    if not all(f.is_nonnegative or f.is_nonpositive for f in (a, b)):
        return False, False
    turned = a.is_nonnegative != b.is_nonnegative
    f, g = (each if each.is_nonnegative else negated(each) for each in (a, b))
    same = (f.increasing and g.increasing) or (f.decreasing and g.decreasing)
    opposite = (f.increasing and g.decreasing) or (f.decreasing and g.increasing)
    found = f.convex and g.convex and same, f.concave and g.concave and opposite
    return (found[1], found[0]) if turned else found


def _divided(a: Facts, b: Facts) -> Facts | None:
    below = inverted(b)
    return None if below is None else multiplied(a, below)


def inverted(a: Facts) -> Facts | None:
    """1/a; None where a may be 0."""
    if not a.nonzero:
        return None
    if not (a.is_nonnegative or a.is_nonpositive):
        return settled(Facts(nonzero=True, increasing=a.constant, decreasing=a.constant))
    if a.is_nonpositive:
        turned = inverted(negated(a))
        return None if turned is None else negated(turned)
    low, high = inverse(a.high)[0], inverse(a.low)[1] if a.low > 0.0 else math.inf
    down = times((low, high), (low, high))
    return settled(
        Facts(
            low=low,
            high=high,
            nonzero=True,
            increasing=a.decreasing,
            decreasing=a.increasing,
            convex=a.concave,
            slopes=times((-down[1], -down[0]), a.slopes),
        )
    )


def power(a: Facts, b: Facts) -> Facts | None:
    """a**b; None where it may have no value, as below 0 with an exponent that is not whole."""
    if b.low == b.high:
        return _fixed_power(a, b.low)
    if not a.positive:
        return None
    logarithm = by_columns(find_operator("log"), (a,))
    return None if logarithm is None else by_columns(find_operator("exp"), (multiplied(b, logarithm),))


def _fixed_power(a: Facts, p: float) -> Facts | None:
    if p == 0.0:
        return number(1.0)
    if p == 1.0:
        return a
    if p < 0.0:
        positive = _fixed_power(a, -p)
        return None if positive is None else inverted(positive)
    if not p.is_integer() and not a.is_nonnegative:
        return None
    even = p % 2 == 0
    direction = "decreasing to 0, increasing from 0" if even else "increasing"
    curvature = "convex" if even else "convex from 0, concave to 0" if p > 1 else "concave from 0"
    cuts = [a.low, a.high] if not a.low < 0.0 < a.high else [a.low, 0.0, a.high]
    low, high = hull(*(_power_at(cut, p) for cut in cuts))
    bounds = Facts(low=max(low, 0.0) if even else low, high=high, nonzero=a.nonzero)
    slopes = times((2.0, 2.0), a.ends) if p == 2.0 else WHOLE
    return settled(composed(bounds, [claims(direction)], claims(curvature, CURVATURES), (a,), [slopes]))


def _power_at(value: float, p: float) -> Ends:
    if value == 0.0 or abs(value) == 1.0 or math.isinf(value):
        exact = value if p % 2 == 1 else abs(value)
        return exact, exact
    return product(value, value) if p == 2.0 else bounds_at("pow", value, p)


def _larger(a: Facts, b: Facts) -> Facts | None:
    """max(a, b); the one that is never below the other, where there is one."""
    if a.low >= b.high:
        return a
    if b.low >= a.high:
        return b
    ends = max(a.low, b.low), max(a.high, b.high)
    found = _by_row("max", ends, (a, b), nonzero=(a.nonzero and b.nonzero) or a.positive or b.positive)
    return settled(replace(found, slopes=meet(found.slopes, hull(a.slopes, b.slopes))))


def _smaller(a: Facts, b: Facts) -> Facts | None:
    larger = _larger(negated(a), negated(b))
    return None if larger is None else negated(larger)


def _wave(name: str) -> Rule:
    """sin and cos: within their image, and near a value where the input is: the slope is at most 1."""

    def rule(a: Facts) -> Facts:
        bounds = by_columns(find_operator(name), (a,))
        assert bounds is not None
        if not a.high - a.low < 1.0:
            return bounds
        low, high = bounds_at(name, a.low)
        room = total(a.high, -a.low)[1]
        ends = max(-1.0, total(low, -room)[0]), min(1.0, total(high, room)[1])
        return settled(replace(bounds, low=ends[0], high=ends[1]))

    return rule


def selected(condition: Facts | None, a: Facts | None, b: Facts | None) -> Facts | None:
    """where(condition, a, b): a where the condition is not 0.

    A condition that goes from 0 up, or down to 0, switches once, from the first part to the last.
    """
    if condition is None:
        return None
    if condition.low > 0.0 or condition.high < 0.0:  # exp(x) is never 0, but underflows to it
        return a
    if condition.low == condition.high:
        return b
    if a is None or b is None:
        return None
    common = either(a, b)
    if condition.constant:
        return settled(common)
    rises = _switches_up(condition, a, b)
    falls = _switches_up(condition, negated(a), negated(b))
    return settled(
        replace(
            common,
            increasing=common.increasing and rises,
            decreasing=common.decreasing and falls,
            convex=False,
            concave=False,
            slopes=WHOLE,
        )
    )


def _switches_up(condition: Facts, a: Facts, b: Facts) -> bool:
    """The switch is no fall."""
    to_a, to_b = a.low >= b.high, b.low >= a.high
    if condition.is_nonnegative:
        return (condition.increasing and to_a) or (condition.decreasing and to_b)
    return condition.is_nonpositive and ((condition.increasing and to_b) or (condition.decreasing and to_a))


#: By operator; those of :func:`selected` may have inputs of which nothing is known.
RULES: dict[str, Rule] = {
    "add": _added,
    "sub": _subtracted,
    "mul": multiplied,
    "div": _divided,
    "pow": power,
    "max": _larger,
    "min": _smaller,
    "sin": _wave("sin"),
    "cos": _wave("cos"),
}
