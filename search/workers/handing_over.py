"""This process trains until Ray's workers are there: the first result need not wait for their start."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from evaluators.asked import Request
from evaluators.machine.running import seconds_run
from search.errors import WorkerError
from search.workers.base import Finished, Workers
from search.workers.head import Head
from search.workers.in_process import InProcess
from search.workers.ray_workers import RayWorkers
from search.workers.tally import Tally

PAUSE = 0.25  # seconds between two looks while this process trains


class HandingOver(Workers):
    """Trains here, cohort after cohort; hands all over that is not begun once a worker is there.

    Ray's servers start beside it from the first moment on, the workers, which load torch, when a second cohort waits or
    the first is trained. Results are functions of the request, so it does not matter who trains.

    Args:
        head: Ray on this machine, as it starts.
        hire: connects with a Ray that is up and starts the workers, without waiting for them.
        say: is told in a line if Ray cannot be started; then all is trained here.
        tell: is told how far a cohort is that is trained here.
    """

    def __init__(
        self, head: Head, hire: Callable[[Head], RayWorkers], say: Callable[[str], object],
        tell: Callable[[str], object] = str,
    ) -> None:  # fmt: skip
        self._head: Head | None = head
        self._hire, self._say = hire, say
        self._here = InProcess(tell, self._meanwhile)
        self._there: RayWorkers | None = None
        self._queue: deque[tuple[int, Request]] = deque()
        self._tally = Tally()
        self._trained_here = self._handed_over = 0
        self._looked = seconds_run()

    def submit(self, number: int, request: Request) -> None:
        self._queue.append((number, request))

    def next(self) -> Finished | None:
        begun = seconds_run()
        self._look(wanted=self._trained_here > 0 or len(self._queue) > 1)
        finished = self._next()
        if finished is not None:
            self._tally.add(finished, seconds_run() - begun)
        return finished

    def _next(self) -> Finished | None:
        if self._queue and not self.draining:
            finished = self._here.train(*self._queue.popleft())
            self._trained_here += 1
            return finished
        return None if self._there is None else self._there.next()

    def drain(self) -> None:
        self.draining = True
        if self._there is not None:
            self._there.drain()

    def remark(self) -> str:
        if self._trained_here and not self._handed_over and self._head is not None:
            return "Ray's workers were not needed: all was trained before they were there; --workers 0 starts none"
        return self._tally.slower() if self._handed_over else ""

    def close(self) -> None:
        for each in (self._there, self._head):  # the workers close the servers, too
            if each is not None:
                each.close()

    def _meanwhile(self) -> None:
        if seconds_run() > self._looked + PAUSE:
            self._look(wanted=self._trained_here > 0 or bool(self._queue))

    def _look(self, *, wanted: bool) -> None:
        """Take whoever has come into service; does not wait."""
        if wanted and self._there is None and self._head is not None:
            self._connect(self._head)
        self._looked = seconds_run()
        if self._there is None or not self._there.look():
            return
        while self._queue and not self.draining:
            self._there.submit(*self._queue.popleft())
            self._handed_over += 1

    def _connect(self, head: Head) -> None:
        try:
            if head.address() is None:
                return
            self._there = self._hire(head)
        except WorkerError as error:
            self._head = None
            self._say(f"{error}; the job goes on in this process")
        else:
            if self.draining:  # a signal came meanwhile
                self._there.drain()
