"""What a row claims of directions, curvature, domain and image, held against its values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from primitives.expression.evaluation import evaluate
from primitives.expression.expression import make_node, parameter
from primitives.operators.operator import INPUTS, Operator
from primitives.operators.trends import CURVATURES, Claim, Interval, claims, interval

_NUMBER = 2000  # of pairs of points
_ROOM = 1e-9  # of the values, for rounding


def unreadable_claims(row: Operator) -> Iterator[str]:
    """What is wrong with the texts of the columns."""
    for column, texts in (("monotone", row.monotone), ("slopes", row.slopes)):
        if len(texts) not in (0, row.arity):
            yield f"{column}: expected a text for each of {row.arity} inputs, got {len(texts)}"
    if row.domain and row.arity > 1:
        yield "domain: only an operator of one input has one"
    for text in row.monotone:
        yield from _unreadable("monotone", claims, text)
    yield from _unreadable("curvature", partial(claims, words=CURVATURES), row.curvature)
    for text in row.slopes:
        yield from _unreadable("slopes", interval, text)
    yield from _unreadable("domain", interval, row.domain)
    yield from _unreadable("image", interval, row.image)


def _unreadable(column: str, read: Callable[[str], object], text: str) -> Iterator[str]:
    try:
        read(text)
    except ValueError as error:
        yield f"{column}: {error}"


def wrong_claims(row: Operator) -> Iterator[str]:
    """Where values contradict the columns, in float64 on random points of [-6, 6] in the domain."""
    if not (row.monotone or row.curvature or row.image or row.slopes):
        return
    first, last = _points(row, 1), _points(row, 2)
    values = _at(row, first)
    if set(row.monotone) - {"neither"} and values.isnan().any():
        yield f"monotone: {_where(first, int(values.isnan().nonzero()[0]))} the value is NaN; give the domain"
    image = interval(row.image)
    yield from _said(first, (values < image.low - _room(values)) | (values > image.high + _room(values)), "image")
    for position, text in enumerate(row.monotone):
        for claim in claims(text):
            yield from _wrong_direction(row, position, claim, (first, last))
    for position, text in enumerate(row.slopes):
        yield from _wrong_slopes(row, position, interval(text), (first, last))
    for claim in claims(row.curvature, CURVATURES):
        yield from _wrong_curvature(row, claim, (first, last))


def _wrong_direction(
    row: Operator, position: int, claim: Claim, points: tuple[list[Tensor], list[Tensor]]
) -> Iterator[str]:
    """Two points that differ in one input only."""
    first = _moved(points[0], position, claim)
    last = [*first[:position], _moved(points[1], position, claim)[position], *first[position + 1 :]]
    before, after = _at(row, first), _at(row, last)
    rise = ((after - before) * (last[position] - first[position]).sign()).nan_to_num(0.0)
    wrong = {"increasing": -rise, "decreasing": rise, "neither": -rise.abs()}[claim.what]
    what = f"monotone: {claim.what} in {INPUTS[position]}"
    yield from _said(first, wrong > _room(before) + _room(after), what)


def _wrong_slopes(
    row: Operator, position: int, bounds: Interval, points: tuple[list[Tensor], list[Tensor]]
) -> Iterator[str]:
    first = points[0]
    last = [*first[:position], points[1][position], *first[position + 1 :]]
    before, after, step = _at(row, first), _at(row, last), last[position] - first[position]
    slope, room = ((after - before) / step).nan_to_num(0.0), (_room(before) + _room(after)) / step.abs()
    wrong = (slope < bounds.low - room) | (slope > bounds.high + room)
    yield from _said(first, wrong, f"slopes: by {INPUTS[position]}")


def _wrong_curvature(row: Operator, claim: Claim, points: tuple[list[Tensor], list[Tensor]]) -> Iterator[str]:
    """The value in the middle of two points, against the mean of theirs."""
    first, last = (_moved(part, 0, claim) for part in points)
    middle = [(a + b) / 2 for a, b in zip(first, last, strict=True)]
    at = [_at(row, each) for each in (first, middle, last)]
    bend = ((at[0] + at[2]) / 2 - at[1]).nan_to_num(0.0)
    room = _room(at[0]) + _room(at[2])
    if claim.what in ("convex", "affine"):
        yield from _said(middle, bend < -room, f"curvature: {claim.what}")
    if claim.what in ("concave", "affine"):
        yield from _said(middle, bend > room, f"curvature: {claim.what}")


def _said(points: list[Tensor], wrong: Tensor, what: str) -> Iterator[str]:
    if wrong.any():
        yield f"{what}: not so {_where(points, int(wrong.nonzero()[0]))}"


def _where(points: list[Tensor], at: int) -> str:
    return "at " + ", ".join(f"{name}={t[at]:.6g}" for name, t in zip(INPUTS, points, strict=False))


def _points(row: Operator, seed: int) -> list[Tensor]:
    """Numbers of [-6, 6] for each input, for one input within the domain."""
    generator = torch.Generator().manual_seed(seed)
    domain = interval(row.domain)
    low, high = max(-6.0, domain.low), min(6.0, domain.high)
    low, high = low + 1e-3 * domain.low_open, high - 1e-3 * domain.high_open
    return [
        low + (high - low) * torch.rand(_NUMBER, generator=generator, dtype=torch.float64) for _ in range(row.arity)
    ]


def _moved(points: list[Tensor], position: int, claim: Claim) -> list[Tensor]:
    """The points with one input brought into the part of the line of a claim."""
    low, high = max(claim.low, -6.0), min(claim.high, 6.0)
    if low >= high:  # a part far out
        low, high = (claim.low, claim.low + 6.0) if claim.low > 0 else (claim.high - 6.0, claim.high)
    share = (points[position] + 6.0) / 12.0
    inside = points[position] if claim.low <= -6.0 and claim.high >= 6.0 else low + (high - low) * share.clamp(0, 1)
    return [*points[:position], inside, *points[position + 1 :]]


def _room(values: Tensor) -> Tensor:
    return _ROOM * (1.0 + values.abs().nan_to_num(0.0, 0.0, 0.0))


def _at(row: Operator, points: list[Tensor]) -> Tensor:
    names = INPUTS[: row.arity]
    value = make_node(row.name, *(parameter(name) for name in names))
    return evaluate((value,), points[0], dict(zip(names, points, strict=True)))[0]
