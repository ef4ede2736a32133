"""The catalogue: known functions with their sources, and the name under which an expression is known."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import torch

from primitives.classes import VERIFIED, fingerprint, outputs, same_function
from primitives.expressions import Expression
from primitives.text import parse


@dataclass(frozen=True, slots=True)
class Entry:
    """A known function.

    Args:
        name: the usual name.
        expression: the formula; learnable parameters at their usual initial values.
        source: where it was proposed, or where a definition can be read.
        year: of the proposal, where established.
        smooth: ``"discont"``, ``"C0"``, ``"C1"``, ``"C2"`` or ``"Cinf"``, at the initial parameters.
        monotone: ``"yes"`` for non-decreasing, ``"decreasing"`` or ``"no"``.
        range: as an interval, such as ``"[0,inf)"``.
    """

    name: str
    expression: Expression
    source: str
    year: int | None
    smooth: str
    monotone: str
    range: str


@dataclass(frozen=True, slots=True)
class Match:
    """The catalogue's name for an expression f, which is ``factor * g + offset`` of a known function g.

    Args:
        entry: the known function g.
        relation: ``"equal"``: factor 1, offset 0; ``"scaled"``: factor > 0, offset 0; ``"affine"``: any other.
        factor: at the initial parameters.
        offset: likewise.
    """

    entry: Entry
    relation: str
    factor: float
    offset: float

    @property
    def name(self) -> str:
        """The known function's name."""
        return self.entry.name


@cache
def catalogue() -> tuple[Entry, ...]:
    """All known functions; plain well-known ones come before their variants and synonyms."""
    table = files("primitives").joinpath("catalogue.csv").read_text(encoding="utf-8")
    return tuple(_entry(row) for row in csv.DictReader(table.splitlines()))


def _entry(row: dict[str, str]) -> Entry:
    return Entry(
        name=row["name"],
        expression=parse(row["expression"]),
        source=row["source"],
        year=int(row["year"]) if row["year"] else None,
        smooth=row["smooth"],
        monotone=row["monotone"],
        range=row["range"],
    )


def known_name(expression: Expression) -> Match | None:
    """Find an expression among the known functions: equal first, then scaled, then affine.

    Within a relation the first entry of the catalogue wins. Every hit is verified: on the points of
    :mod:`primitives.classes` to 1e-9 of the largest value, and on [-20, 20] to 1e-6, since classes see only
    [-5, 5], where ReLU6 is ReLU. Functions with learnable parameters match only functions with the same
    number and kind of parameters.
    """
    for relation, strength, mapping in _RELATIONS:
        for entry in _index(strength).get(getattr(fingerprint(expression), strength), ()):
            found = mapping(expression, entry.expression)
            if found is not None and _same_when_wide(expression, entry.expression, *found):
                return Match(entry, relation, *found)
    return None


@cache
def _index(strength: str) -> dict[str, tuple[Entry, ...]]:
    """Class hash -> entries in the order of the catalogue."""
    found: dict[str, tuple[Entry, ...]] = {}
    for entry in catalogue():
        key = getattr(fingerprint(entry.expression), strength)
        found[key] = (*found.get(key, ()), entry)
    return found


def _equal(f: Expression, g: Expression) -> tuple[float, float] | None:
    return (1.0, 0.0) if same_function(f, g) else None


def _scaled(f: Expression, g: Expression) -> tuple[float, float] | None:
    if not same_function(f, g, scale=True):
        return None
    left, right = (np.abs(values[np.isfinite(values)]) for values in (outputs(f.canonical()), outputs(g.canonical())))
    return (float(left.max() / right.max()), 0.0) if right.any() else None


def _affine(f: Expression, g: Expression) -> tuple[float, float] | None:
    """The best factor and offset, if they leave at most 1e-9 of the spread of f."""
    left, right = outputs(f.canonical()), outputs(g.canonical())
    finite = np.isfinite(left)
    if left.shape != right.shape or not np.array_equal(finite, np.isfinite(right)) or not finite.any():
        return None
    left, right = left[finite], right[finite]
    high, low = left - left.mean(), right - right.mean()
    if not low.any():
        return None
    factor = float(high @ low) / float(low @ low)
    within = np.abs(high - factor * low).max() <= VERIFIED * np.abs(high).max()
    return (factor, float(left.mean() - factor * right.mean())) if within and factor != 0.0 else None


def _same_when_wide(f: Expression, g: Expression, factor: float, offset: float) -> bool:
    x = torch.linspace(-20.0, 20.0, 321, dtype=torch.float64) + 0.001
    left, right = f(x), factor * g(x) + offset
    both = torch.isfinite(left) & torch.isfinite(right)
    return bool(((left - right).abs() <= 1e-6 * (1.0 + left.abs()))[both].all())


_Mapping = Callable[[Expression, Expression], tuple[float, float] | None]

#: relation, field of the fingerprint, factor and offset of a verified hit; strongest first
_RELATIONS: tuple[tuple[str, str, _Mapping], ...] = (
    ("equal", "exact", _equal),
    ("scaled", "scale", _scaled),
    ("affine", "affine", _affine),
)
