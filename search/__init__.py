"""Which candidates to try, where they run, what is kept: strategies, the study, workers, the job."""

from search.config import Config, load_config
from search.errors import ConfigError, RunError, WorkerError
from search.run import Job, Run
from search.strategies import Proposal, Result, Strategy, strategy

__all__ = [
    "Config",
    "ConfigError",
    "Job",
    "Proposal",
    "Result",
    "Run",
    "RunError",
    "Strategy",
    "WorkerError",
    "load_config",
    "strategy",
]
