"""The catalogue: known functions with their sources, and the name under which an expression is known.

The table's columns f(-2) to f(3) are the formula's values in float64 as an independent evaluator computed them; the
tests hold the expressions against them. Layers with statistics, gates and rows have a table of their own, without such
columns; the tests hold them against formulas in torch.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from operator import itemgetter
from typing import Literal, cast, get_args

import numpy as np

from primitives.equivalence.classes import (
    VERIFIED,
    best_line,
    fingerprint,
    is_map_of,
    largest_finite,
    same_function,
    scale_factor,
)
from primitives.equivalence.input_search import SCALES, SHIFTS, InputMap, Ladder, nearest_maps
from primitives.equivalence.kinds import plainest
from primitives.equivalence.outputs import outputs
from primitives.equivalence.signs import said_of, sign_orbit
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.operators.operator import LAYERS

_TABLES = ("catalogue.csv", "catalogue_layers.csv")
_FITS = ("equal", "scaled", "affine")  # strongest first
_RESIDUAL = 1e-5  # of the spread, where the input is mapped: the map itself is found to 1e-8


Kind = Literal["pointwise", "layer", "gate", "row"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Entry:
    """A known function.

    Args:
        name: the usual name.
        kind: ``"pointwise"``, a function of one number; ``"layer"``, of a normalisation and an activation; ``"gate"``,
            of two inputs; ``"row"``, which stands in softmax's place.
        expression: the formula; learnable parameters at their usual initial values, per layer or per channel as the
            source has them; what the source fixes is a number.
        constants: the usual names of fixed numbers, as ``"alpha=1, beta=1"``.
        checked: the formula was seen in the source or in public code; otherwise it is from memory, or sources differ.
        source: where it was proposed, or where a definition can be read.
        year: of the proposal, where established.
        smooth: ``"discont"``, ``"C0"``, ``"C1"``, ``"C2"`` or ``"Cinf"``, at the initial parameters; of pointwise
            functions, as the next two; "" for others.
        monotone: ``"yes"`` for non-decreasing, ``"decreasing"`` or ``"no"``.
        range: as an interval, such as ``"[0,inf)"``.
    """

    name: str
    kind: Kind
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
    """The catalogue's name for f, which is ``factor * g(input_scale * x + input_shift) + offset`` of a known g.

    Args:
        entry: the known function g.
        relation: ``"equal"``: factor 1, offset 0; ``"scaled"``: factor > 0, offset 0; ``"mirrored"``, ``"negated"``,
            ``"point-reflected"``: g(-x), -g(x), -g(-x), up to a positive factor; ``"shifted"``: a constant is added to
            input or output, which trains differently, with the sign behind it, as ``"shifted, point-reflected"``.
        factor: at the initial parameters.
        offset: likewise.
        input_scale: -1 where it is mirrored; else 1 unless a search for it was asked for.
        input_shift: 0 unless a search for it was asked for.
    """

    entry: Entry
    relation: str
    factor: float
    offset: float
    input_scale: float = 1.0
    input_shift: float = 0.0

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
    def formula(self) -> str:
        """What it is of the known function, as ``-ReLU(-x + 1) + 1``; numbers have 6 digits."""
        inner = _line_of("x", self.input_scale, self.input_shift)
        if "z" in self.entry.expression.inputs:
            inner += ", z"
        return _line_of(f"{self.name}({inner})", self.factor, self.offset)

    @property
    def is_shifted(self) -> bool:
        """A constant is added to the input or the output."""
        return bool(self.input_shift or self.offset)

    @property
    def row(self) -> dict[str, str | float]:
        """Name and relation, and the map of the input where it is not x."""
        scale = {} if self.input_scale == 1.0 else {"input_scale": self.input_scale}
        shift = {} if self.input_shift == 0.0 else {"input_shift": self.input_shift}
        return {"name": self.name, "relation": self.relation} | scale | shift


def _line_of(what: str, factor: float, offset: float) -> str:
    """``factor*what + offset``, as people write it."""
    head = {"1": "", "-1": "-"}.get(f"{factor:.6g}", f"{factor:.6g}*")
    tail = f" {'-' if offset < 0 else '+'} {abs(offset):.6g}" if offset else ""
    return f"{head}{what}{tail}"


def catalogue(kind: Kind = "pointwise") -> tuple[Entry, ...]:
    """All known functions of a kind; plain well-known ones come before their variants and synonyms."""
    return tuple(entry for entry in every_entry() if entry.kind == kind)


@cache
def every_entry() -> tuple[Entry, ...]:
    """Those of all kinds, pointwise ones first."""
    tables = [files("primitives").joinpath(name).read_text(encoding="utf-8") for name in _TABLES]
    return tuple(_entry(row) for table in tables for row in csv.DictReader(table.splitlines()))


def _entry(row: dict[str, str]) -> Entry:
    return Entry(
        name=row["name"],
        kind=cast(Kind, row.get("kind", "pointwise")),
        expression=parse(row["expression"]),
        constants=row["constants"],
        checked=row["checked"] == "yes",
        source=row["source"],
        year=int(row["year"]) if row["year"] else None,
        smooth=row.get("smooth", ""),
        monotone=row.get("monotone", ""),
        range=row.get("range", ""),
    )


def known_name(expression: Expression, *, input_scale: bool = False, input_shift: bool = False) -> Match | None:
    """Find an expression among the known functions: equal first, then scaled, then up to signs, then up to an offset.

    Within a relation the first entry of the catalogue wins. Every hit is verified, also on wider points; see
    :func:`primitives.equivalence.classes.is_map_of`. Functions with learnable parameters match only functions with the
    same number and kind of parameters. Layers with statistics and gates match functions of their kind, up to a factor
    and an offset of the output; ``layers(...)`` matches what is equal, and each of its parts has a name of its own.

    Args:
        expression: any.
        input_scale: where nothing is found, search for a known function with a factor b of its input, 1/4 <= b <= 4,
            that leaves a residual below 1e-5 of the largest deviation from the mean; takes about 0.1 s.
        input_shift: before that, search for a known function of x + c or c - x, -4 <= c <= 4, likewise; the plainest
            wins.
    """
    expression = plainest(expression)
    if expression.op == LAYERS:
        equal = (entry for entry in every_entry() if entry.expression.op == LAYERS)
        return next((Match(e, "equal", 1.0, 0.0) for e in equal if same_function(expression, e.expression)), None)
    found = _of_class(expression, "equal", "exact") or _of_class(expression, "scaled", "scale")
    if not expression.is_pointwise:
        return found or _of_class(expression, "affine", "affine")
    found = found or _up_to_signs(expression)
    if found is None:
        found = _of_class(expression, "affine", "affine")
        moved = _with_shifted_input(expression) if input_shift else []
        found = min(filter(None, (found, *moved)), key=_plainness, default=None)
    if found is None and input_scale:
        found = _with_scaled_input(expression)
    return found


def _of_class(expression: Expression, fit: str, strength: str) -> Match | None:
    """The first entry of the same class that fits so."""
    for entry in _index(strength).get(getattr(fingerprint(expression), strength), ()):
        fitted = _map(fit, expression, entry.expression, VERIFIED)
        if fitted is not None:
            return Match(entry, _relation(fit, InputMap(), *fitted), *fitted)
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
    for entry in every_entry():
        key = getattr(fingerprint(entry.expression), strength)
        index[key] = (*index.get(key, ()), entry)
    return index


def _map(fit: str, f: Expression, g: Expression, tolerance: float) -> tuple[float, float] | None:
    """Factor and offset with which f is ``factor * g + offset`` if it fits so, or None."""
    left, right = outputs(f), outputs(g)
    factor, offset = 1.0, 0.0
    if fit == "scaled":
        factor = scale_factor(left, right)
    elif fit == "affine" and left.shape == right.shape:
        factor, offset = best_line(right, left)
        offset = offset if abs(offset) > VERIFIED * largest_finite(left) else 0.0
    return (factor, offset) if is_map_of(f, g, factor, offset, tolerance=tolerance) else None


def _with_scaled_input(f: Expression) -> Match | None:
    """The match of the strongest fit, and of these the first in the catalogue's order."""
    ranked = [(_FITS.index(fit), number, match) for ladder in SCALES for number, fit, match in _mapped(f, ladder)]
    return min(ranked, key=itemgetter(0, 1))[-1] if ranked else None


def _with_shifted_input(f: Expression) -> list[Match]:
    return [match for ladder in SHIFTS for _, _, match in _mapped(f, ladder)]


def _plainness(match: Match) -> tuple[int, bool, int]:
    """The plainer the smaller: the known function by its size, then without another sign, then by its place."""
    entry = match.entry
    return entry.expression.size, match.relation != "shifted", every_entry().index(entry)


def _mapped(f: Expression, ladder: Ladder) -> Iterator[tuple[int, str, Match]]:
    """Number in the catalogue, fit and match of the known functions that are f with their input mapped."""
    values = outputs(f)
    if not np.isfinite(values).all() or not np.ptp(values) > 0:
        return
    for number, found in nearest_maps(f, [entry.expression for entry in catalogue()], ladder):
        if fitted := _mapped_match(f, catalogue()[number], found):
            yield number, *fitted


def _mapped_match(f: Expression, entry: Entry, found: InputMap) -> tuple[str, Match] | None:
    """The fit and the match at a map rounded to 6 digits if it is exact there, else at the map if its residual is
    below 1e-5.
    """
    loose = _RESIDUAL * float(np.ptp(outputs(f))) / largest_finite(outputs(f))
    for moved, tolerance in ((found.rounded, VERIFIED), (found, loose)):
        if moved.is_identity:  # all but the known function itself, which its class would have found
            return None
        for fit in _FITS:
            fitted = _map(fit, f, moved.of(entry.expression), tolerance)
            if fitted is not None:
                return fit, Match(entry, _relation(fit, moved, *fitted), *fitted, moved.scale, moved.shift)
    return None


def _relation(fit: str, moved: InputMap, factor: float, offset: float) -> str:
    """In words; where the input or the output is shifted, the sign stands behind that."""
    turned = said_of(1 if moved.scale > 0 else -1, 1 if factor > 0 else -1)
    if not (moved.shift or offset):
        return turned if fit == "affine" else fit
    return f"shifted, {turned}" if turned else "shifted"
