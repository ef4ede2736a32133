"""The contract of workers."""

from __future__ import annotations

from abc import ABC, abstractmethod

from evaluators.asked import Answer, Request
from evaluators.results.records import CohortResult

#: The number of a cohort or a mixture, and its result, see :func:`evaluators.asked.answer`.
Finished = tuple[int, Answer]


def cohort_of(answer: Answer) -> CohortResult:
    """An answer where only cohorts were submitted."""
    assert isinstance(answer, CohortResult)
    return answer


class Workers(ABC):
    """Trains cohorts and mixtures, in any order; results are asked for one at a time.

    Attributes:
        draining: True once no further cohort is begun.
    """

    draining = False

    @abstractmethod
    def submit(self, number: int, request: Request) -> None:
        """Begin a cohort or a mixture, or put it into the queue."""

    @abstractmethod
    def next(self) -> Finished | None:
        """Wait for any cohort to be done; None if they are draining and what was begun is done."""

    def drain(self) -> None:
        """Begin no further cohort; may be called while :meth:`next` waits, from a signal's handler too."""
        self.draining = True

    def remark(self) -> str:
        """What the user should know of them at the end of a job, or ""."""
        return ""

    @abstractmethod
    def close(self) -> None:
        """End all workers."""
