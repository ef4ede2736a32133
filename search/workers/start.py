"""The workers that a job asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from search.workers.base import Workers
from search.workers.handing_over import HandingOver
from search.workers.head import Head
from search.workers.in_process import InProcess
from search.workers.ray_workers import RayWorkers


@dataclass(frozen=True, slots=True)
class Asked:
    """What a job asks for.

    Args:
        count: number of workers; 0 trains in this process.
        address: of a running cluster; None starts Ray on this machine.
        gpus: share of a GPU that each worker takes.
        temp_dir: for the files of a Ray on this machine.
        alone: nothing but a worker may train: what a user's file does could end or stop this process.
    """

    count: int
    address: str | None = None
    gpus: float = 0.0
    temp_dir: str | None = None
    alone: bool = False


def start_workers(asked: Asked, say: Callable[[str], object] = str, tell: Callable[[str], object] = str) -> Workers:
    """Start them.

    Args:
        asked: which.
        say: is told in a line what is wrong with Ray where the job goes on without.
        tell: is told how far a cohort is that is trained in this process.

    Raises:
        WorkerError: Ray or the workers cannot be started, and this process may not train.
        ConfigError: the temporary folder cannot be used.
    """
    if not asked.count:
        return InProcess(tell)
    if asked.alone or asked.address:
        return RayWorkers(asked.count, asked.address, asked.gpus, asked.temp_dir)
    head = Head(asked.count, asked.temp_dir)
    return HandingOver(head, lambda up: RayWorkers(asked.count, gpus=asked.gpus, head=up), say, tell)
