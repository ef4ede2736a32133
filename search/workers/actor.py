"""The Ray actor: what runs in a worker's process."""

from __future__ import annotations

import gc
import hashlib
import signal
from dataclasses import dataclass
from pathlib import Path

import torch

import evaluators
import primitives
import search
from evaluators.asked import Answer, Request, answer
from evaluators.native.library import OFF, VARIABLE
from evaluators.training.chains.identity import digest as engine_digest
from primitives.ending import contained
from primitives.errors import ActsearchError, EndsProcessError
from search.records.packages import installed
from search.workers.crash import written_to
from search.workers.signals import HELD

#: The folders of the code, as this process has imported it; on a cluster they lie apart.
PACKAGES = tuple(Path(name.__path__[0]).resolve() for name in (primitives, evaluators, search))

_ENGINE = " and engine "  # before the engine's digest


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a worker cannot train what it was asked to."""

    error: str


class Worker:
    """One actor: trains cohorts and mixtures on one thread.

    Args:
        crash: file for the lines in which it crashes, on the driver's machine.
    """

    def __init__(self, crash: str | None = None) -> None:
        _hear_nothing()
        self._crash = None if crash is None else written_to(crash)
        torch.set_num_threads(1)
        gc.disable()  # training makes no cycles; looking for them takes a tenth of its time

    def versions(self) -> str:
        """What it runs, see :func:`versions`; answers once the worker is up."""
        return versions()

    def run(self, request: Request) -> Answer | Refusal:
        """Train; a refusal where it is the task's or the network's fault: every candidate would fail."""
        try:
            with contained():
                result = answer(request)
        except EndsProcessError:
            raise  # it may be the doing of one candidate
        except ActsearchError as error:
            return Refusal(str(error))
        gc.collect()
        return result


def _hear_nothing() -> None:
    """Do nothing at signals that the driver blocks in its workers, instead: what they start can be ended by SIGTERM."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGINT, *HELD}
    for number in blocked:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)


def versions() -> str:
    """The code, the torch build and the engine of this process: driver and workers must agree in them.

    The engine is built for it where it was not yet: a driver asks before it starts workers.

    Raises:
        EvaluationError: see :func:`evaluators.native.library.library`.
    """
    code = f"actsearch {installed('actsearch')} with code {_digest()}"
    return f"{code}, torch {torch.__version__}{_ENGINE}{engine_digest()}"


def refusal(worker: str, driver: str) -> str:
    """Why a worker cannot train for a driver, by their versions, and the way out where engines alone differ."""
    alike = worker.partition(_ENGINE)[0] == driver.partition(_ENGINE)[0]
    out = f"; {VARIABLE}={OFF} in the driver's environment trains without engines" if alike else ""
    return f"the worker runs {worker}, the driver {driver}{out}"


def _digest() -> str:
    """Beginning of the SHA-256 of the code: a version number alone does not tell two work trees apart."""
    hasher = hashlib.sha256()
    for folder in PACKAGES:
        for path in sorted((*folder.rglob("*.py"), *folder.rglob("*.c"))):
            hasher.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return hasher.hexdigest()[:12]
