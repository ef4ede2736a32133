"""Record of a known function of a job."""

from __future__ import annotations

from dataclasses import dataclass

from search.records.trial import TrialRecord


@dataclass(frozen=True, slots=True)
class Known:
    """A function of the catalogue, or of the config's list, as the baseline trained it.

    Args:
        name: of the catalogue; the text of one that has none there.
        trial: what training made of it; its id is ``known.`` and its number in the baseline.
    """

    name: str
    trial: TrialRecord

    @property
    def gain(self) -> float | None:
        """The first objective; None if it failed."""
        return self.trial.objectives.get("gain")
