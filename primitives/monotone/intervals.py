"""Arithmetic on ends of intervals, rounded outwards; what is exact stays exact.

Ends may be infinite: they stand for numbers without bound, so that 0 times infinity is 0.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

Ends = tuple[float, float]

WHOLE: Ends = (-math.inf, math.inf)
_LARGEST = sys.float_info.max
_RELATIVE = 1e-13  # of a value of a kernel: torch's are within a few units of the last place
_ABSOLUTE = 3e-308  # what a processor that has no subnormal numbers makes 0
_ROUND = frozenset({0.0, 0.5, -0.5, 1.0, -1.0, 2.0})


def outwards(value: float) -> Ends:
    """Bounds of a result of float arithmetic that may be rounded."""
    if value == math.inf:
        return _LARGEST, value
    if value == -math.inf:
        return value, -_LARGEST
    return math.nextafter(value, -math.inf), math.nextafter(value, math.inf)


def total(a: float, b: float) -> Ends:
    """Bounds of a sum."""
    s = a + b
    if math.isinf(a) or math.isinf(b):
        return s, s
    rest = s - a
    exact = math.isfinite(s) and (a - (s - rest)) + (b - rest) == 0.0  # Knuth's error of a sum
    return (s, s) if exact else outwards(s)


def product(a: float, b: float) -> Ends:
    """Bounds of a product."""
    if a == 0.0 or b == 0.0:
        return 0.0, 0.0
    p = a * b
    whole = a.is_integer() and b.is_integer() and abs(p) < 2.0**53
    exact = math.isinf(a) or math.isinf(b) or whole or ((_is_power(a) or _is_power(b)) and 1e-300 < abs(p) < math.inf)
    return (p, p) if exact else outwards(p)


def times(a: Ends, b: Ends) -> Ends:
    """Bounds of the products of numbers of two intervals."""
    return hull(*(product(f, g) for f in a for g in b))


def plus(a: Ends, b: Ends) -> Ends:
    """Bounds of the sums of numbers of two intervals."""
    return total(a[0], b[0])[0], total(a[1], b[1])[1]


def meet(a: Ends, b: Ends) -> Ends:
    """What two intervals have in common; the second where rounding has left nothing."""
    low, high = max(a[0], b[0]), min(a[1], b[1])
    return (low, high) if low <= high else b


def _is_power(value: float) -> bool:
    """A power of 2, of either sign: a factor that rounds nothing."""
    return math.frexp(value)[0] in (0.5, -0.5)


def inverse(a: float) -> Ends:
    """Bounds of 1/a, a not 0."""
    if math.isinf(a):
        return 0.0, 0.0
    value = 1.0 / a if abs(a) > 1.0 / _LARGEST else math.copysign(math.inf, a)
    return (value, value) if _is_power(a) and math.isfinite(value) else outwards(value)


def around(value: float, at: Sequence[float], *, coarse: bool) -> Ends:
    """Bounds of what a kernel has computed at a point; of NaN, where a limit was asked for, there are none.

    Args:
        value: as computed.
        at: the inputs.
        coarse: parts of it may cancel, as those of GELU do far to the left, so that it is right to the inputs' size.
    """
    if math.isnan(value):
        return WHOLE
    if len(at) == 1 and (at[0] == 0.0 or math.isinf(at[0])) and (value in _ROUND or math.isinf(value)):
        return value, value  # a value at 0, or a limit
    if math.isinf(value):
        return outwards(value)
    size = max([1.0, *(abs(each) for each in at if math.isfinite(each))]) if coarse else 0.0
    room = _RELATIVE * max(abs(value), size) + _ABSOLUTE
    return value - room, value + room


def hull(*parts: Ends) -> Ends:
    """The least interval around all."""
    return min(low for low, _ in parts), max(high for _, high in parts)
