"""Facts: what is proved of one node of an expression, as a function of x, for all values of the parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from primitives.monotone.intervals import WHOLE, Ends, hull, meet


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is proved of a function that has a value everywhere. False means not proved.

    Args:
        low: no value is below it.
        high: no value is above it.
        nonzero: no value is 0.
        increasing: it never falls.
        decreasing: it never rises; with ``increasing`` it is constant in x.
        convex: so is it, for each setting of the parameters.
        concave: likewise; with ``convex`` it is affine in x.
        slopes: bounds of (f(x2) - f(x1)) / (x2 - x1) for all x1 < x2.
    """

    low: float = -math.inf
    high: float = math.inf
    nonzero: bool = False
    increasing: bool = False
    decreasing: bool = False
    convex: bool = False
    concave: bool = False
    slopes: Ends = WHOLE

    @property
    def ends(self) -> Ends:
        """The bounds."""
        return self.low, self.high

    @property
    def constant(self) -> bool:
        """It does not change with x."""
        return self.increasing and self.decreasing

    @property
    def affine(self) -> bool:
        """It is a line in x."""
        return self.convex and self.concave

    @property
    def is_nonnegative(self) -> bool:
        """No value is below 0."""
        return self.low >= 0.0

    @property
    def is_nonpositive(self) -> bool:
        """No value is above 0."""
        return self.high <= 0.0

    @property
    def positive(self) -> bool:
        """All values are above 0."""
        return self.is_nonnegative and self.nonzero


def settled(facts: Facts) -> Facts:
    """The facts with what follows from them.

    One value is a constant, a constant is a line, signs exclude 0, slopes from 0 on are a direction.
    """
    nonzero = facts.nonzero or facts.low > 0.0 or facts.high < 0.0
    increasing, decreasing = facts.increasing or facts.slopes[0] >= 0.0, facts.decreasing or facts.slopes[1] <= 0.0
    if (increasing and decreasing) or facts.low == facts.high:
        return Facts(
            low=facts.low, high=facts.high, nonzero=nonzero, increasing=True, decreasing=True, convex=True,
            concave=True, slopes=(0.0, 0.0),
        )  # fmt: skip
    slopes = meet(facts.slopes, (0.0 if increasing else -math.inf, 0.0 if decreasing else math.inf))
    return replace(facts, nonzero=nonzero, increasing=increasing, decreasing=decreasing, slopes=slopes)


def number(value: float) -> Facts:
    """Of a fixed number."""
    return settled(Facts(low=value, high=value))


def unknown_constant() -> Facts:
    """Of a parameter: any number, the same for all x."""
    return settled(Facts(increasing=True, decreasing=True))


def identity(low: float = -math.inf, high: float = math.inf) -> Facts:
    """Of x, from ``low`` to ``high``."""
    return settled(Facts(low=low, high=high, increasing=True, convex=True, concave=True, slopes=(1.0, 1.0)))


def both(first: Facts | None, second: Facts | None) -> Facts | None:
    """What two proofs of one node give together."""
    if first is None or second is None:
        return first or second
    low, high = max(first.low, second.low), min(first.high, second.high)
    return settled(
        Facts(
            low=min(low, high),
            high=max(low, high),
            nonzero=first.nonzero or second.nonzero,
            increasing=first.increasing or second.increasing,
            decreasing=first.decreasing or second.decreasing,
            convex=first.convex or second.convex,
            concave=first.concave or second.concave,
            slopes=meet(first.slopes, second.slopes),
        )
    )


def either(first: Facts, second: Facts) -> Facts:
    """What holds of both of two functions."""
    low, high = hull(first.ends, second.ends)
    return Facts(
        low=low,
        high=high,
        nonzero=first.nonzero and second.nonzero,
        increasing=first.increasing and second.increasing,
        decreasing=first.decreasing and second.decreasing,
        convex=first.convex and second.convex,
        concave=first.concave and second.concave,
        slopes=hull(first.slopes, second.slopes),
    )


def negated(facts: Facts) -> Facts:
    """Of minus a function."""
    return Facts(
        low=-facts.high,
        high=-facts.low,
        nonzero=facts.nonzero,
        increasing=facts.decreasing,
        decreasing=facts.increasing,
        convex=facts.concave,
        concave=facts.convex,
        slopes=(-facts.slopes[1], -facts.slopes[0]),
    )
