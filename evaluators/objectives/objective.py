"""The contract of an objective: a number by which candidates are compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from evaluators.results.records import MemberResult
from primitives.expression.expression import Expression


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a candidate's objectives are computed from.

    Args:
        expression: the candidate.
        row: its row in the cohort's result.
        gain: aggregated over the tasks.
        reference: the row of the reference, see :func:`evaluators.results.records.reference_of`.
        tasks: names of the tasks.
        scale: what the tasks applied, see :func:`evaluators.tasks.conditions.common_scale`: ``"none"``, f as it is, on
            one at least; ``"unit"``, f / sqrt(E f(z)^2); ``"critical"``, f(s x) / sqrt(E f(s z)^2), on all.
    """

    expression: Expression
    row: MemberResult
    gain: float
    reference: MemberResult
    tasks: Sequence[str]
    scale: str = "unit"


class Objective(ABC):
    """A number by which candidates are compared.

    Attributes:
        name: in configs, results and ``front.csv``.
        unit: of the number.
        direction: ``"maximize"`` or ``"minimize"``.
        formula: what it is, in a line.
        source: paper that it is taken from, or what it is computed from.
        kind: ``"training"`` for the gains, ``"formula"`` for a property of the formula, ``"measured"`` on the trained
            models for what a cohort takes at the end of training if it is asked to.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    direction: ClassVar[Literal["maximize", "minimize"]]
    formula: ClassVar[str]
    source: ClassVar[str]
    kind: ClassVar[Literal["training", "formula", "measured"]]

    def lacks(self, expression: Expression) -> str:
        """Why a function of its kind has no number, for people; "" where it has one, as is the rule."""
        return ""

    @abstractmethod
    def value(self, trained: Trained) -> float:
        """The number of a candidate; NaN where a measurement has no finite one."""
