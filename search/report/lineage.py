"""Lineage: how a member of the front came about, from its first ancestor on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search.report.run_data import Candidate

LONGEST = 24  #: steps shown of a line, the last ones


@dataclass(frozen=True, slots=True)
class Birth:
    """A candidate of a line.

    Args:
        candidate: itself.
        origin: how it was proposed.
        father: the second parent of a crossover.
        change: gain over its mother's, in nats; None where one of the two has none.
    """

    candidate: Candidate
    origin: str
    father: Candidate | None
    change: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """A member's line of first parents, oldest first, and how many before it are left out."""

    births: tuple[Birth, ...]
    left_out: int


def line(member: Candidate, by_id: Mapping[str, Candidate], origin_of: Mapping[str, str]) -> Line:
    """The line of a member; it ends where a parent is not in the run."""
    ancestry = [member]
    while ancestry[-1].parents and (mother := by_id.get(ancestry[-1].parents[0])):
        ancestry.append(mother)
    births = [_birth(candidate, by_id, origin_of) for candidate in ancestry[:LONGEST]]
    return Line(tuple(reversed(births)), max(0, len(ancestry) - LONGEST))


def _birth(candidate: Candidate, by_id: Mapping[str, Candidate], origin_of: Mapping[str, str]) -> Birth:
    parents = [by_id.get(name) for name in candidate.parents]
    mother = parents[0] if parents else None
    change = None
    if mother and mother.gain is not None and candidate.gain is not None:
        change = candidate.gain - mother.gain
    return Birth(candidate, origin_of[candidate.id], parents[1] if len(parents) > 1 else None, change)
