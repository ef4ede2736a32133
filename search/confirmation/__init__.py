"""Confirmation: the finalists and their short forms again, on seeds, data and networks that the search never saw."""

from search.confirmation.comparison import ordered, verdicts
from search.confirmation.protocol import CONFIRMED, confirm
from search.confirmation.selection import finalists

__all__ = ["CONFIRMED", "confirm", "finalists", "ordered", "verdicts"]
