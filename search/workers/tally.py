"""Whether workers were worth their start: by what this very job has measured."""

from __future__ import annotations

from dataclasses import dataclass

from search.workers.base import Finished


@dataclass(slots=True)
class Tally:
    """Seconds of a job.

    Attributes:
        waited: that it waited for results, the workers' start included.
        trained: that the training took, wherever it was, one cohort after the other.
    """

    waited: float = 0.0
    trained: float = 0.0

    def add(self, finished: Finished, waited: float) -> None:
        """Note a result and what it was waited for."""
        self.waited += waited
        self.trained += sum(finished[1].seconds.values())

    def slower(self) -> str:
        """A line if this process alone would have been as fast, else "".

        What workers trained side by side took longer for it; so that is said too rarely, never too often.
        """
        if self.trained > self.waited or not self.trained:
            return ""
        return (
            f"--workers 0 would have been as fast: the training took {self.trained:.0f} s in all, and with Ray this "
            f"job waited {self.waited:.0f} s for it"
        )
