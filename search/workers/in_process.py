"""No workers: cohorts are trained in this process."""

from __future__ import annotations

from collections import deque

import torch

from evaluators.cohort import CohortRequest, run_cohort
from primitives.user_file import contained
from search.workers.base import Finished, Workers


class InProcess(Workers):
    """Trains in this process, for debugging: what kills or hangs a worker does so with the job."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self._queue: deque[tuple[int, CohortRequest]] = deque()

    def submit(self, number: int, request: CohortRequest) -> None:
        self._queue.append((number, request))

    def next(self) -> Finished | None:
        if self.draining:
            return None
        number, request = self._queue.popleft()
        with contained():
            return number, run_cohort(request)

    def close(self) -> None:
        self._queue.clear()
