"""The rule that every row of the table has by its columns: directions per input, curvature, domain, image.

The curvature of a composition is that of disciplined convex programming (Grant, Boyd and Ye 2006): f(g1, ..., gn) is
convex if f is, and each g is a line, or convex where f increases in it, or concave where f decreases in it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache, reduce

import torch

from primitives.monotone.facts import Facts, settled
from primitives.monotone.intervals import WHOLE, Ends, around, hull, meet, plus, times
from primitives.operators.operator import Operator
from primitives.operators.table import find_operator
from primitives.operators.trends import CURVATURES, Claim, Interval, claims, interval

#: Kernels of several steps in which nothing cancels.
_FINE = frozenset(
    {
        *("sigmoid", "softplus", "log_sigmoid", "leaky_relu", "elu", "selu", "silu", "mish", "softsign"),
        *("sqrt_abs", "signed_sqrt"),
    }
)
#: Kernels that round nothing.
_EXACT = frozenset({"neg", "abs", "sign", "floor", "relu", "relu6", "hardtanh", "max", "min", "gt", "ge", "lt", "le"})


def by_columns(row: Operator, args: Sequence[Facts]) -> Facts | None:
    """What the columns of a row prove at inputs; None where it may have no value."""
    if row.domain and not _within(args[0], interval(row.domain), row):
        return None
    image = interval(row.image)
    parts = [claims(text) for text in row.monotone]
    low, high = _image(row, parts, args, (image.low, image.high))
    facts = Facts(low=low, high=high, nonzero=_misses_zero(image))
    return settled(composed(facts, parts, claims(row.curvature, CURVATURES), args, slopes_of(row)))


def slopes_of(row: Operator) -> Sequence[Ends]:
    """For each input the bounds of the slopes that the row gives."""
    bounds = [interval(text) for text in row.slopes]
    return [(each.low, each.high) for each in bounds] or [WHOLE] * row.arity


def composed(
    facts: Facts,
    parts: Sequence[Sequence[Claim]],
    curvature: Sequence[Claim],
    args: Sequence[Facts],
    slopes: Sequence[Ends],
) -> Facts:
    """Bounds with the directions, the curvature and the slopes of an operator at inputs.

    Args:
        facts: the bounds of the output.
        parts: for each input the claims on directions.
        curvature: claims, jointly in all inputs; a part of the line is of the first input's.
        args: the inputs.
        slopes: for each input bounds of the operator's slopes.
    """
    ups = [_holds("increasing", each, arg) for each, arg in zip(parts, args, strict=True)]
    downs = [_holds("decreasing", each, arg) for each, arg in zip(parts, args, strict=True)]
    ways = list(zip(args, ups, downs, strict=True))
    convex, concave = (_holds(what, curvature, args[0]) for what in ("convex", "concave"))
    constant = all(arg.constant for arg in args)
    steps = [times(_slopes(up, down, given), arg.slopes) for (arg, up, down), given in zip(ways, slopes, strict=True)]
    return Facts(
        low=facts.low,
        high=facts.high,
        nonzero=facts.nonzero,
        increasing=constant or all(_moves(arg.increasing, arg.decreasing, up, down) for arg, up, down in ways),
        decreasing=constant or all(_moves(arg.decreasing, arg.increasing, up, down) for arg, up, down in ways),
        convex=constant or (convex and all(_bends(g.affine, g.convex, g.concave, up, down) for g, up, down in ways)),
        concave=constant or (concave and all(_bends(g.affine, g.concave, g.convex, up, down) for g, up, down in ways)),
        slopes=reduce(plus, steps),
    )


def _slopes(up: bool, down: bool, given: Ends) -> Ends:
    return meet((0.0 if up else -math.inf, 0.0 if down else math.inf), given)


def _moves(with_it: bool, against_it: bool, up: bool, down: bool) -> bool:
    return (with_it and against_it) or (up and with_it) or (down and against_it)


def _bends(affine: bool, alike: bool, other: bool, up: bool, down: bool) -> bool:
    return affine or (up and alike) or (down and other)


def _holds(what: str, given: Sequence[Claim], arg: Facts) -> bool:
    wanted = (what, "affine") if what in {"convex", "concave"} else (what,)
    return any(claim.what in wanted and claim.covers(arg.low, arg.high) for claim in given)


def _within(arg: Facts, domain: Interval, row: Operator) -> bool:
    return _beyond(arg.low, domain.low, arg, domain.low_open) and _beyond(
        -arg.high, -domain.high, arg, domain.high_open
    )


def _beyond(value: float, end: float, arg: Facts, is_open: bool) -> bool:
    """The argument keeps to its side of an end of the domain."""
    if value == end and is_open:
        return math.isinf(end) or (end == 0.0 and arg.nonzero)
    return value >= end


def _misses_zero(image: Interval) -> bool:
    return (image.low >= 0.0 and (image.low_open or image.low > 0)) or (
        image.high <= 0.0 and (image.high_open or image.high < 0)
    )


def _image(row: Operator, parts: Sequence[Sequence[Claim]], args: Sequence[Facts], image: Ends) -> Ends:
    """Bounds of the output: values at the ends of parts on which it goes one way, within the image."""
    found = WHOLE
    if row.forward is not None:
        found = _of_one(row, parts[0], args[0]) if row.arity == 1 else _of_many(row, parts, args)
    low, high = max(found[0], image[0]), min(found[1], image[1])
    return (low, high) if low <= high else image


def _of_one(row: Operator, given: Sequence[Claim], arg: Facts) -> Ends:
    ways = [claim for claim in given if claim.what != "neither"]
    inner = {end for claim in ways for end in (claim.low, claim.high) if arg.low < end < arg.high}
    cuts = sorted({arg.low, arg.high, *inner})
    pieces = itertools.pairwise(cuts) if len(cuts) > 1 else [(arg.low, arg.high)]
    if not all(any(claim.covers(*piece) for claim in ways) for piece in pieces):
        return WHOLE
    return hull(*(bounds_at(row.name, cut) for cut in cuts))


def _of_many(row: Operator, parts: Sequence[Sequence[Claim]], args: Sequence[Facts]) -> Ends:
    lowest, highest = [], []
    for given, arg in zip(parts, args, strict=True):
        if _holds("increasing", given, arg):
            corner = arg.ends
        elif _holds("decreasing", given, arg):
            corner = arg.ends[::-1]
        else:
            return WHOLE
        lowest.append(corner[0])
        highest.append(corner[1])
    return bounds_at(row.name, *lowest)[0], bounds_at(row.name, *highest)[1]


@lru_cache(maxsize=65536)
def bounds_at(name: str, *at: float) -> Ends:
    """Bounds of the value, or of the limit, of an operator with a forward function; none where torch has NaN."""
    row = find_operator(name)
    assert row.forward is not None, name
    value = float(row.forward(*(torch.tensor(each, dtype=torch.float64) for each in at)))
    if name in _EXACT and not math.isnan(value):
        return value, value
    return around(value, at, coarse=bool(row.formula) and name not in _FINE)
