"""No workers: cohorts are trained in this process."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable

import torch

from evaluators.asked import Request, answer
from evaluators.training.progress import Watch
from primitives.ending import contained
from search.workers.base import Finished, Workers
from search.workers.first_lines import in_words


class InProcess(Workers):
    """Trains in this process: what kills or hangs a worker does so with the job.

    Args:
        tell: is told how far a cohort is, as its training comes to a rung; "" when it ends.
        meanwhile: is called every few steps.
    """

    def __init__(self, tell: Callable[[str], object] = str, meanwhile: Callable[[], object] = bool) -> None:
        torch.set_num_threads(1)
        self._tell = tell
        self._watch = Watch(lambda reached: tell(in_words(reached)), meanwhile)
        self._queue: deque[tuple[int, Request]] = deque()

    def submit(self, number: int, request: Request) -> None:
        self._queue.append((number, request))

    def next(self) -> Finished | None:
        if self.draining:
            return None
        return self.train(*self._queue.popleft())

    def train(self, number: int, request: Request) -> Finished:
        """Train a cohort or a mixture now."""
        gc.disable()  # training makes no cycles; looking for them takes a tenth of its time
        try:
            with contained():
                return number, answer(request, self._watch)
        finally:
            gc.enable()
            self._tell("")

    def close(self) -> None:
        self._queue.clear()
