"""Errors of the package."""

from primitives.errors import ActsearchError


class TaskError(ActsearchError):
    """A task is unknown or cannot be used."""


class EvaluationError(ActsearchError):
    """An evaluation was asked for that cannot be made."""


class ReferenceLossError(EvaluationError):
    """The reference of all gains has no finite loss: there is nothing to compare with."""


class RecordError(ActsearchError):
    """A file has another shape than its record; the message names the file and the key."""
