"""Errors of the package."""

from primitives.errors import ActsearchError


class ConfigError(ActsearchError):
    """A config is not what a job needs; the message names file, key, what was expected and the nearest key."""


class RunError(ActsearchError):
    """A run is missing, in use, of another version, or damaged beyond repair."""


class DamageError(RunError):
    """A file of a run is torn, was changed, or is missing where it was written; the message names it."""


class ReplayError(ActsearchError):
    """A table of scores cannot be read, or a replay makes no sense."""


class WorkerError(ActsearchError):
    """The workers cannot be started or do not run this version."""


class FileError(ActsearchError):
    """A file of a run cannot be written or read; the message names it."""
