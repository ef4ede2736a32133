"""A trained class as a flat row: what ``front.csv``, ``actsearch front`` and the report show of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evaluators.results.control_labels import CURRENT, family_of
from evaluators.results.reasons import AnyReason, code_of
from search.storage.files import Cell


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class; numbers are None where it failed.

    Args:
        id: cohort and slot.
        expression: its text.
        objectives: by name, and the cost where it is none.
        gain_over: mean gain over the controls beside the reference, by name.
        by_task: mean gain over the reference, by label of the task.
        unit: of its gains.
        reason: why it failed, or None.
        key: of the class.
        parents: ids of the candidates that it was made from.
    """

    id: str
    expression: str
    objectives: Mapping[str, float | None]
    gain_over: Mapping[str, float | None] = field(default_factory=dict)
    by_task: Mapping[str, float | None] = field(default_factory=dict)
    unit: str = "nats"
    reason: AnyReason | None = None
    key: str = ""
    parents: tuple[str, ...] = ()

    @property
    def gain(self) -> float | None:
        """The first objective."""
        return self.objectives["gain"]

    @property
    def reference(self) -> str:
        """The name of the control that the gain is over: the first one, unless that is beside the reference."""
        first = family_of(self.gain_over)[0]
        return CURRENT if first in self.gain_over else first

    @property
    def cost(self) -> float | None:
        """In ReLUs."""
        return self.objectives["cost"]

    @property
    def cells(self) -> dict[str, Cell]:
        """Column -> value, in the order of the columns."""
        return {
            "id": self.id,
            "expression": self.expression,
            **self.objectives,
            **{f"gain_over_{name}": gain for name, gain in self.gain_over.items()},
            **{f"gain_{name}": gain for name, gain in self.by_task.items()},
            "unit": self.unit,
            "reason": code_of(self.reason),
            "class": self.key,
            "parents": " ".join(self.parents),
        }


def best_of(front: Sequence[ClassRow]) -> ClassRow:
    """The member of highest gain of a front, which has a gain for each."""
    return max(front, key=lambda row: -float("inf") if row.gain is None else row.gain)
