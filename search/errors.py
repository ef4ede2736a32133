"""Errors of the package."""

from primitives.errors import ActsearchError


class ConfigError(ActsearchError):
    """A config is not what a job needs; the message names file, key, what was expected and the nearest key."""


class RunError(ActsearchError):
    """A run is missing, in use, of another version, or damaged beyond repair."""


class WorkerError(ActsearchError):
    """The workers cannot be started or do not run this version."""
