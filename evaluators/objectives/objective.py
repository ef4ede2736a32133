"""What an objective is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from primitives.expressions import Expression


@dataclass(frozen=True, slots=True)
class Objective:
    """A number by which candidates are compared.

    Args:
        name: in configs, results and ``front.csv``.
        unit: of the number.
        direction: ``"maximize"`` or ``"minimize"``.
        formula: what it is, in a line.
        source: paper that it is taken from, or what it is computed from.
        kind: ``"training"`` for the gain, ``"formula"`` for a property of the formula, ``"measured"`` on the trained
            models for what a cohort takes at the end of training if it is asked to.
        of: computes a property of the formula.
        relative: a measured loss, of which the objective is log(ReLU's / the candidate's).
    """

    name: str
    unit: str
    direction: Literal["maximize", "minimize"]
    formula: str
    source: str
    kind: Literal["training", "formula", "measured"]
    of: Callable[[Expression], float] | None = None
    relative: bool = False
