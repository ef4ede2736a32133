"""Workers: where cohorts are trained. They receive text and numbers, return the same, and know nothing else."""

from search.workers.base import Finished, Workers, cohort_of
from search.workers.clock import Clock
from search.workers.in_process import InProcess
from search.workers.ray_workers import RayWorkers
from search.workers.start import start_workers

__all__ = ["Clock", "Finished", "InProcess", "RayWorkers", "Workers", "cohort_of", "start_workers"]
