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
from evaluators.cohort import CohortRequest, run_cohort
from evaluators.results.records import CohortResult
from primitives.errors import ActsearchError, EndsProcessError
from primitives.user_file import contained
from search.records.packages import installed

#: The folders of the code, as this process has imported it; on a cluster they lie apart.
PACKAGES = tuple(Path(name.__path__[0]).resolve() for name in (primitives, evaluators, search))

#: Signals that Ray's processes on the driver's machine do not hear: whether a job stops is the driver's to decide.
HELD = (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a worker cannot train what it was asked to."""

    error: str


class Worker:
    """One actor: trains cohorts on one thread."""

    def __init__(self) -> None:
        _hear_nothing()
        torch.set_num_threads(1)
        gc.disable()  # training makes no cycles; looking for them takes a tenth of its time

    def versions(self) -> str:
        """What it runs, see :func:`versions`; answers once the worker is up."""
        return versions()

    def run(self, request: CohortRequest) -> CohortResult | Refusal:
        """Train; a refusal where it is the task's or the network's fault: every candidate would fail."""
        try:
            with contained():
                result = run_cohort(request)
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
    """The code and the torch build of this process: driver and workers must agree in them."""
    return f"actsearch {installed('actsearch')} with code {_digest()} and torch {torch.__version__}"


def _digest() -> str:
    """Beginning of the SHA-256 of the code: a version number alone does not tell two work trees apart."""
    hasher = hashlib.sha256()
    for folder in PACKAGES:
        for path in sorted(folder.rglob("*.py")):
            hasher.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return hasher.hexdigest()[:12]
