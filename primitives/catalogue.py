"""The catalogue: known functions with their sources, and the name under which an expression is known.

The table's columns f(-2) to f(3) are the formula's values in float64 as an independent evaluator computed them; the
tests hold the expressions against them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np

from primitives.equivalence.classes import (
    VERIFIED,
    best_line,
    fingerprint,
    is_map_of,
    largest_finite,
    outputs,
    scale_factor,
)
from primitives.equivalence.input_scale import nearest_scales, with_scaled_input
from primitives.equivalence.signs import sign_orbit
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse

_RELATIONS = ("equal", "scaled", "affine")  # strongest first
_RESIDUAL = 1e-5  # of the spread, where the input is scaled: the scale itself is found to 1e-8


@dataclass(frozen=True, slots=True)
class Entry:
    """A known function.

    Args:
        name: the usual name.
        expression: the formula; learnable parameters at their usual initial values, per layer or per channel as the
            source has them; what the source fixes is a number.
        constants: the usual names of fixed numbers, as ``"alpha=1, beta=1"``.
        checked: the formula was seen in the source or in public code; otherwise it is from memory, or sources differ.
        source: where it was proposed, or where a definition can be read.
        year: of the proposal, where established.
        smooth: ``"discont"``, ``"C0"``, ``"C1"``, ``"C2"`` or ``"Cinf"``, at the initial parameters.
        monotone: ``"yes"`` for non-decreasing, ``"decreasing"`` or ``"no"``.
        range: as an interval, such as ``"[0,inf)"``.
    """

    name: str
    expression: Expression
    constants: str
    checked: bool
    source: str
    year: int | None
    smooth: str
    monotone: str
    range: str


@dataclass(frozen=True, slots=True)
class Match:
    """The catalogue's name for an expression f, which is ``factor * g(input_scale * x) + offset`` of a known g.

    Args:
        entry: the known function g.
        relation: ``"equal"``: factor 1, offset 0; ``"scaled"``: factor > 0, offset 0; ``"mirrored"``, ``"negated"``,
            ``"point-reflected"``: g(-x), -g(x), -g(-x), up to a positive factor; ``"affine"``: any other.
        factor: at the initial parameters.
        offset: likewise.
        input_scale: -1 where it is mirrored; else 1 unless a search for it was asked for.
    """

    entry: Entry
    relation: str
    factor: float
    offset: float
    input_scale: float = 1.0

    @property
    def name(self) -> str:
        """The known function's name."""
        return self.entry.name

    def said(self, *, factor: bool = False) -> str:
        """The relation for people; a factor of the output by its size if it is asked for."""
        size = abs(self.factor)
        if not factor or self.offset or size == 1.0:
            return self.relation
        return f"scaled by {size:.6g}" if self.relation == "scaled" else f"{self.relation}, scaled by {size:.6g}"

    @property
    def row(self) -> dict[str, str | float]:
        """Name and relation, and the input scale where it is not 1."""
        scale = {} if self.input_scale == 1.0 else {"input_scale": self.input_scale}
        return {"name": self.name, "relation": self.relation} | scale


@cache
def catalogue() -> tuple[Entry, ...]:
    """All known functions; plain well-known ones come before their variants and synonyms."""
    table = files("primitives").joinpath("catalogue.csv").read_text(encoding="utf-8")
    return tuple(_entry(row) for row in csv.DictReader(table.splitlines()))


def _entry(row: dict[str, str]) -> Entry:
    return Entry(
        name=row["name"],
        expression=parse(row["expression"]),
        constants=row["constants"],
        checked=row["checked"] == "yes",
        source=row["source"],
        year=int(row["year"]) if row["year"] else None,
        smooth=row["smooth"],
        monotone=row["monotone"],
        range=row["range"],
    )


def known_name(expression: Expression, *, input_scale: bool = False) -> Match | None:
    """Find an expression among the known functions: equal first, then scaled, then up to signs, then affine.

    Within a relation the first entry of the catalogue wins. Every hit is verified, also on wider points; see
    :func:`primitives.equivalence.classes.is_map_of`. Functions with learnable parameters match only functions with the
    same number and kind of parameters.

    Args:
        expression: any.
        input_scale: where nothing is found, search for a known function with a factor b of its input, 1/4 <= b <= 4,
            that leaves a residual below 1e-5 of the largest deviation from the mean; takes about 0.1 s.
    """
    found = (
        _of_class(expression, "equal", "exact")
        or _of_class(expression, "scaled", "scale")
        or _up_to_signs(expression)
        or _of_class(expression, "affine", "affine")
    )
    return found or (_with_scaled_input(expression) if input_scale else None)


def _of_class(expression: Expression, relation: str, strength: str) -> Match | None:
    """The first entry of the same class that is the function in this relation."""
    for entry in _index(strength).get(getattr(fingerprint(expression), strength), ()):
        fitted = _map(relation, expression, entry.expression, VERIFIED)
        if fitted is not None:
            return Match(entry, relation, *fitted)
    return None


def _up_to_signs(expression: Expression) -> Match | None:
    """The first known function that it is with another sign of the input, the output or both."""
    for each in sign_orbit(expression)[1:]:
        match = _of_class(each.expression, "scaled", "scale")
        if match is not None:
            return replace(match, relation=each.said, factor=each.outer * match.factor, input_scale=float(each.inner))
    return None


@cache
def _index(strength: str) -> dict[str, tuple[Entry, ...]]:
    """Class hash -> entries in the order of the catalogue."""
    index: dict[str, tuple[Entry, ...]] = {}
    for entry in catalogue():
        key = getattr(fingerprint(entry.expression), strength)
        index[key] = (*index.get(key, ()), entry)
    return index


def _map(relation: str, f: Expression, g: Expression, tolerance: float) -> tuple[float, float] | None:
    """Factor and offset with which f is ``factor * g + offset`` in this relation, or None."""
    left, right = outputs(f), outputs(g)
    factor, offset = 1.0, 0.0
    if relation == "scaled":
        factor = scale_factor(left, right)
    elif relation == "affine" and left.shape == right.shape:
        factor, offset = best_line(right, left)
    return (factor, offset) if is_map_of(f, g, factor, offset, tolerance=tolerance) else None


def _with_scaled_input(f: Expression) -> Match | None:
    """The match of the strongest relation, and of these the first in the catalogue's order."""
    values = outputs(f)
    if not np.isfinite(values).all() or not np.ptp(values) > 0:
        return None
    known = [entry.expression for entry in catalogue()]
    matches = {number: _scaled_match(f, catalogue()[number], b) for number, b in nearest_scales(f, known)}
    ranked = [(_RELATIONS.index(match.relation), number, match) for number, match in matches.items() if match]
    return min(ranked)[-1] if ranked else None


def _scaled_match(f: Expression, entry: Entry, b: float) -> Match | None:
    """The match at b rounded to 6 digits if it is exact there, else at b if its residual is below 1e-5."""
    loose = _RESIDUAL * float(np.ptp(outputs(f))) / largest_finite(outputs(f))
    for scale, tolerance in ((float(f"{b:.6g}"), VERIFIED), (b, loose)):
        if abs(scale - 1.0) < 1e-3:  # all but the known function itself, which its class would have found
            return None
        for relation in _RELATIONS:
            fitted = _map(relation, f, with_scaled_input(entry.expression, scale), tolerance)
            if fitted is not None:
                return Match(entry, relation, *fitted, scale)
    return None
