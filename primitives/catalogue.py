"""The catalogue: known functions with their sources, and the name under which an expression is known."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

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
    """The catalogue's name for an expression.

    Args:
        entry: the known function g.
        relation: ``"equal"`` for f = g, ``"scaled"`` for f = a*g with a > 0, ``"affine"`` for f = a*g + b.
    """

    entry: Entry
    relation: str

    @property
    def name(self) -> str:
        """The known function's name."""
        return self.entry.name


@cache
def catalogue() -> tuple[Entry, ...]:
    """All known functions; plain well-known ones come before their variants and synonyms."""
    with files("primitives").joinpath("catalogue.csv").open(encoding="utf-8", newline="") as table:
        return tuple(_entry(row) for row in csv.DictReader(table))


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

    Within a relation the first entry of the catalogue wins. Every hit is verified on the points of
    :mod:`primitives.classes` to 1e-9 of the largest value. Functions with learnable parameters match only
    functions with the same number and kind of parameters.
    """
    for relation, strength, verified in _RELATIONS:
        for entry in _index(strength).get(getattr(fingerprint(expression), strength), ()):
            if verified(expression, entry.expression):
                return Match(entry, relation)
    return None


@cache
def _index(strength: str) -> dict[str, tuple[Entry, ...]]:
    """Class hash -> entries in the order of the catalogue."""
    found: dict[str, tuple[Entry, ...]] = {}
    for entry in catalogue():
        key = getattr(fingerprint(entry.expression), strength)
        found[key] = (*found.get(key, ()), entry)
    return found


def _same_up_to_factor(f: Expression, g: Expression) -> bool:
    return same_function(f, g, scale=True)


def _same_up_to_affine(f: Expression, g: Expression) -> bool:
    """True if the best a*g + b leaves at most 1e-9 of the spread of f."""
    left, right = outputs(f.canonical()), outputs(g.canonical())
    finite = np.isfinite(left)
    if left.shape != right.shape or not np.array_equal(finite, np.isfinite(right)) or not finite.any():
        return False
    left, right = left[finite] - left[finite].mean(), right[finite] - right[finite].mean()
    spread = float(right @ right)
    if spread == 0.0:
        return not left.any()
    residual = left - right * (float(left @ right) / spread)
    return float(np.abs(residual).max()) <= VERIFIED * float(np.abs(left).max())


#: relation, field of the fingerprint, proof of a hit; strongest first
_RELATIONS: tuple[tuple[str, str, Callable[[Expression, Expression], bool]], ...] = (
    ("equal", "exact", same_function),
    ("scaled", "scale", _same_up_to_factor),
    ("affine", "affine", _same_up_to_affine),
)
