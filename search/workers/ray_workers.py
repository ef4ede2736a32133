"""Workers in processes of their own, on this machine or on a cluster."""

from __future__ import annotations

import itertools
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from evaluators.asked import Request
from evaluators.machine.running import seconds_run
from evaluators.results.reasons import Reason
from primitives.errors import EndsProcessError
from search.errors import WorkerError
from search.workers.actor import Refusal, Worker, refusal, versions
from search.workers.base import Finished, Workers
from search.workers.clock import Clock
from search.workers.cluster import attach, join, leave
from search.workers.crash import crash_in
from search.workers.head import Head
from search.workers.pieces import ATTEMPTS, Piece, Pieces
from search.workers.tally import Tally

#: Seconds for the first worker to start, and for a new one to take the place of the last.
START = 300.0
#: A worker that did not start is tried again after PAUSE seconds, until none has started for GRACE seconds. Ray puts
#: actors on a machine that is dead until it notices, which takes it up to 20 s; they fail at once.
PAUSE, GRACE = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class _Hired:
    """An actor, and the file for the lines in which it crashes; None on a cluster."""

    actor: Any
    crash: str | None


@dataclass(slots=True)
class _Work:
    """A piece in training."""

    worker: _Hired
    piece: Piece
    started: float


class RayWorkers(Workers):
    """Ray actors, one thread each. One that died or hangs is replaced, and its piece given to another.

    Args:
        count: number of actors; the search begins as soon as the first is up.
        address: of a running cluster; None starts Ray on this machine.
        gpus: share of a GPU that each actor takes; with 0 each sees all of its machine.
        temp_dir: for the files of a Ray on this machine; None takes TMPDIR.
        clock: says when a worker counts as hung.
        head: a Ray of this machine that is up. Then the first worker is not waited for: :meth:`look` says when it is
            there. It is closed with the workers.

    Raises:
        WorkerError: Ray or the workers cannot be started, or a worker runs another version.
        ConfigError: the temporary folder cannot be used.
    """

    def __init__(
        self, count: int, address: str | None = None, gpus: float = 0.0, temp_dir: str | None = None, *,
        clock: Clock | None = None, head: Head | None = None,
    ) -> None:  # fmt: skip
        self._tally, begun = Tally(), seconds_run()
        self._head = None if address else head or Head(count, temp_dir)
        self._clock, self._versions = clock or Clock(), versions()
        self._pieces = Pieces()
        self._idle: list[_Hired] = []
        self._busy: dict[Any, _Work] = {}
        self._starting: dict[Any, _Hired] = {}
        self._numbers = itertools.count()
        self._later: deque[float] = deque()  # when to try again
        self._failing_since: float | None = None
        try:
            import ray

            self._ray: Any = ray
            if self._head is None:
                join(ray, address or "")
            else:
                attach(ray, self._head)
            self._actor = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0)(Worker)
            for _ in range(count):
                self._start_actor()
            if head is None:
                self._wait_for_one()
        except BaseException:
            self.close()
            raise
        self._tally.waited += seconds_run() - begun

    def look(self) -> bool:
        """See who has come, without waiting; True if a worker is there.

        Raises:
            WorkerError: none can start, or one runs another version.
        """
        if self._busy or self._starting or self._later:
            self._see(0.0)
            self._assign()
        return bool(self._idle or self._busy)

    def submit(self, number: int, request: Request) -> None:
        self._pieces.submit(number, request)
        self._assign()

    def next(self) -> Finished | None:
        begun = seconds_run()
        while (whole := self._pieces.whole()) is None:
            if not self._busy and not self._waiting():
                return None
            if not self._busy and not self._idle:
                self._wait_for_one()
            self._assign()
            self._see()
            self._end_hung()
        self._assign()
        self._tally.add(whole, seconds_run() - begun)
        return whole

    def remark(self) -> str:
        return "" if self._head is None else self._tally.slower()

    def close(self) -> None:
        if "ray" in sys.modules and sys.modules["ray"].is_initialized():
            leave(sys.modules["ray"])
        if self._head is not None:
            self._head.close()

    def _waiting(self) -> bool:
        return self._pieces.waiting(begun_only=self.draining)

    def _assign(self) -> None:
        """Give pieces to idle workers."""
        while self._idle and self._waiting():
            worker, piece = self._idle.pop(), self._pieces.take()
            self._busy[worker.actor.run.remote(piece.request)] = _Work(worker, piece, seconds_run())

    def _see(self, patience: float = 1.0) -> None:
        """Wait for a worker that is done, lost or up, but not for longer than ``patience`` seconds."""
        while self._later and self._later[0] <= seconds_run():
            self._later.popleft()
            self._start_actor()
        if not self._busy and not self._starting:
            time.sleep(min(patience, PAUSE))
            return
        for ready in self._ray.wait([*self._busy, *self._starting], num_returns=1, timeout=patience)[0]:
            if ready in self._busy:
                self._collect(ready, self._busy.pop(ready))
            else:
                self._greet(ready, self._starting.pop(ready))

    def _collect(self, answer: Any, work: _Work) -> None:
        try:
            result = self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, EndsProcessError):
                self._replace(work, Reason.WORKER_DIED, str(cause))
            elif "its node has died" in str(error):  # Ray has no error of its own for it
                self._replace(work, Reason.NODE_LOST, str(error))
            else:
                where = crash_in(work.worker.crash, work.piece.request.tasks)
                self._replace(work, Reason.WORKER_DIED, f"{where}\n{error}")
            return
        self._idle.append(work.worker)
        if isinstance(result, Refusal):
            raise WorkerError(result.error)
        self._clock.finished(work.piece.request, seconds_run() - work.started)
        self._pieces.finished(work.piece, result)

    def _end_hung(self) -> None:
        now = seconds_run()
        for answer, work in list(self._busy.items()):
            limit = self._clock.limit(work.piece.request)
            if now - work.started > limit:
                del self._busy[answer]
                self._replace(
                    work, Reason.TIMEOUT, f"no answer after {limit:.0f} s, {ATTEMPTS} times; the worker was ended"
                )

    def _replace(self, work: _Work, reason: Reason, error: str) -> None:
        self._ray.kill(work.worker.actor)
        self._start_actor()
        self._pieces.failed(work.piece, reason, error)

    def _start_actor(self) -> None:
        crash = None if self._head is None else f"{self._head.folder}/crash-{next(self._numbers)}"
        actor: Any = self._actor.remote(crash)
        self._starting[actor.versions.remote()] = _Hired(actor, crash)

    def _greet(self, answer: Any, worker: _Hired) -> None:
        """Take a worker that is up, if it runs what the driver runs; try again where it could not start."""
        try:
            versions = self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            now = seconds_run()
            self._failing_since = self._failing_since or now
            if now - self._failing_since > GRACE:
                raise WorkerError(f"a worker cannot start: {str(error).strip().splitlines()[-1]}") from None
            self._later.append(now + PAUSE)
            return
        if versions != self._versions:
            raise WorkerError(refusal(versions, self._versions))
        self._failing_since = None
        self._idle.append(worker)

    def _wait_for_one(self) -> None:
        end = seconds_run() + START
        while not self._idle:
            if seconds_run() > end:
                free = self._ray.available_resources().get("CPU", 0)
                raise WorkerError(f"no worker has started within {START:.0f} s; Ray has {free:.0f} free CPUs")
            self._see()
