"""An exported function: a class of a run, or its short form."""

from __future__ import annotations

from dataclasses import dataclass

from search.records.class_row import ClassRow


@dataclass(frozen=True, slots=True)
class Exported:
    """A function to be written: a class of the run, or the short form of one.

    Args:
        id: in the run or the confirmation.
        expression: its text.
        cost: in ReLUs.
        origin: the class that it is, or is a short form of.
    """

    id: str
    expression: str
    cost: float | None
    origin: ClassRow

    @property
    def is_short_form(self) -> bool:
        """It is no class of the run itself."""
        return self.id != self.origin.id
