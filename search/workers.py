"""Workers: where cohorts are trained. They receive text and numbers, send the same back, and know nothing else."""

from __future__ import annotations

import gc
import itertools
import logging
import math
import os
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import torch

from evaluators.cohort import CohortRequest, run_cohort
from primitives.errors import ActsearchError
from search.errors import WorkerError

#: Thread counts and malloc thresholds of a worker. Large blocks that stay in the process instead of going back to
#: the system after each step give 15 to 20 % on small networks.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 31),
    "MALLOC_TOP_PAD_": str(1 << 26),
}
ATTEMPTS = 2
#: For Ray itself: quiet, nothing reported home, and no idle workers started ahead, which would compete with the
#: actors' own start.
_RAY = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


class Workers(ABC):
    """Trains cohorts, in any order; results are asked for one at a time."""

    @abstractmethod
    def submit(self, number: int, request: CohortRequest) -> None:
        """Begin a cohort, or put it into the queue."""

    @abstractmethod
    def next(self) -> tuple[int, dict[str, Any]]:
        """Wait for any cohort to be done: its number and its result, see :func:`evaluators.run_cohort`."""

    @abstractmethod
    def close(self) -> None:
        """End all workers."""


class InProcess(Workers):
    """No workers: cohorts are trained in this process, for debugging."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self._queue: deque[tuple[int, CohortRequest]] = deque()

    def submit(self, number: int, request: CohortRequest) -> None:
        self._queue.append((number, request))

    def next(self) -> tuple[int, dict[str, Any]]:
        number, request = self._queue.popleft()
        return number, run_cohort(request)

    def close(self) -> None:
        self._queue.clear()


def _start_ray(ray: Any, count: int, address: str | None) -> None:
    """Join a cluster, or start Ray here.

    A cluster's workers get their environment by ``runtime_env``; here they inherit it from this process, which
    spares the runtime environment's agent and 5 s.
    """
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    variables = ENVIRONMENT | {"PYTHONPATH": paths}
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        ray.init(address=address, runtime_env={"env_vars": variables}, **quiet)
        return
    before = dict(os.environ)
    os.environ.update(variables | _RAY)
    try:
        ray.init("local", num_cpus=count, include_dashboard=False, object_store_memory=100 << 20, **quiet)
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(slots=True)
class _Piece:
    """Some candidates of a cohort, and how often their worker died."""

    ticket: int
    request: CohortRequest
    slots: list[int]
    attempts: int = 0


@dataclass(slots=True)
class _Partial:
    """A cohort's result as its pieces come in."""

    number: int
    candidates: list[dict[str, Any] | None]
    rest: dict[str, Any] = field(default_factory=dict)


class RayWorkers(Workers):
    """Ray actors, one thread each. A dead one is replaced; a cohort that fails twice is split to find the offender.

    Args:
        count: number of actors.
        address: of a running cluster; None starts Ray on this machine.
        gpus: share of a GPU that each actor takes; with 0 each sees all of its machine.
    """

    def __init__(self, count: int, address: str | None = None, gpus: float = 0.0) -> None:
        import ray

        self._ray = ray
        try:
            _start_ray(ray, count, address)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise WorkerError(f"cannot start Ray{f' at {address}' if address else ''}: {error}") from None
        self._actor = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0)(_Worker)
        self._idle = [self._new_actor() for _ in range(count)]
        try:
            ray.get([actor.ready.remote() for actor in self._idle])
        except ray.exceptions.RayError as error:
            ray.shutdown()
            raise WorkerError(f"a worker cannot start: {str(error).strip().splitlines()[-1]}") from None
        self._busy: dict[Any, tuple[Any, _Piece]] = {}
        self._queue: deque[_Piece] = deque()
        self._partial: dict[int, _Partial] = {}
        self._tickets = itertools.count()

    def _new_actor(self) -> Any:
        return self._actor.remote(version("actsearch"), torch.__version__)

    def submit(self, number: int, request: CohortRequest) -> None:
        ticket, size = next(self._tickets), len(request.expressions)
        self._partial[ticket] = _Partial(number, [None] * size)
        self._queue.append(_Piece(ticket, request, list(range(size))))
        self._start()

    def _start(self) -> None:
        while self._idle and self._queue:
            actor, piece = self._idle.pop(), self._queue.popleft()
            self._busy[actor.run.remote(piece.request)] = (actor, piece)

    def next(self) -> tuple[int, dict[str, Any]]:
        while True:
            done, _ = self._ray.wait(list(self._busy), num_returns=1)
            actor, piece = self._busy.pop(done[0])
            try:
                self._collect(piece, self._ray.get(done[0]))
                self._idle.append(actor)
            except self._ray.exceptions.RayError as error:
                self._ray.kill(actor)
                self._idle.append(self._new_actor())
                self._again(piece, error)
            self._start()
            partial = self._partial[piece.ticket]
            if not self._under_way(piece.ticket):
                del self._partial[piece.ticket]
                return partial.number, partial.rest | {"candidates": partial.candidates}

    def _under_way(self, ticket: int) -> bool:
        """True while a piece of a cohort is with a worker or in the queue."""
        pieces = [*self._queue, *(piece for _, piece in self._busy.values())]
        return any(piece.ticket == ticket for piece in pieces)

    def _collect(self, piece: _Piece, result: dict[str, Any]) -> None:
        if "error" in result:
            raise WorkerError(result["error"])
        partial = self._partial[piece.ticket]
        for slot, row in zip(piece.slots, result.pop("candidates"), strict=True):
            partial.candidates[slot] = row
        partial.rest = result

    def _again(self, piece: _Piece, error: Exception) -> None:
        """Retry a piece, then halve it, then give up its single candidate."""
        piece.attempts += 1
        if piece.attempts < ATTEMPTS:
            self._queue.appendleft(piece)
        elif len(piece.slots) > 1:
            middle = math.ceil(len(piece.slots) / 2)
            self._queue.extendleft([_part(piece, middle, None), _part(piece, 0, middle)])
        elif piece.slots:
            self._partial[piece.ticket].candidates[piece.slots[0]] = {
                "losses": {}, "tests": {}, "reason": "worker-died", "failed_on": "", "error": str(error)[-4000:],
            }  # fmt: skip
            if not self._partial[piece.ticket].rest and not self._under_way(piece.ticket):
                # the controls are still owed
                self._queue.append(_Piece(piece.ticket, replace(piece.request, expressions=()), []))
        else:
            number = self._partial[piece.ticket].number
            raise WorkerError(f"the controls of cohort {number} cannot be trained: {error}")

    def close(self) -> None:
        self._ray.shutdown()


def _part(piece: _Piece, start: int, stop: int | None) -> _Piece:
    expressions = piece.request.expressions[start:stop]
    return _Piece(piece.ticket, replace(piece.request, expressions=expressions), piece.slots[start:stop])


class _Worker:
    """One actor: trains cohorts on one thread."""

    def __init__(self, expected: str, expected_torch: str) -> None:
        torch.set_num_threads(1)
        gc.disable()  # training makes no cycles; looking for them takes a tenth of its time
        own = (version("actsearch"), torch.__version__)
        if own != (expected, expected_torch):
            raise WorkerError(
                f"the worker runs actsearch {own[0]} and torch {own[1]}, the driver {expected} and {expected_torch}"
            )

    def ready(self) -> None:
        """Answers once the worker is up."""

    def run(self, request: CohortRequest) -> dict[str, Any]:
        try:
            result = run_cohort(request)
        except ActsearchError as error:
            return {"error": str(error)}  # of the task or the network: every candidate would fail
        gc.collect()
        return result


def start_workers(count: int, address: str | None, gpus: float = 0.0) -> Workers:
    """The workers that a config asks for."""
    return RayWorkers(count, address, gpus) if count else InProcess()
