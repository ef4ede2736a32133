"""Workers: where cohorts are trained. They receive text and numbers, return the same, and know nothing else."""

from search.workers.base import Finished, Workers
from search.workers.clock import Clock
from search.workers.in_process import InProcess
from search.workers.ray_workers import RayWorkers

__all__ = ["Clock", "Finished", "InProcess", "RayWorkers", "Workers", "start_workers"]


def start_workers(count: int, address: str | None, gpus: float = 0.0, temp_dir: str | None = None) -> Workers:
    """The workers that a config asks for."""
    return RayWorkers(count, address, gpus, temp_dir) if count else InProcess()
