"""Which candidates to try, where they run, what is kept: strategies, the study, workers, the job.

The names load when they are first asked for (PEP 562): this package is imported by every command, its help included.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_HOMES = {
    "config": ("Config", "load_config"),
    "errors": ("ConfigError", "RunError", "WorkerError"),
    "run": ("Job", "Run"),
    "strategies": ("Proposal", "Result", "Strategy", "strategy"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"search.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
