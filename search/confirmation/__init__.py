"""Confirmation: the finalists and their short forms again, on seeds, data and networks that the search never saw."""

from search.confirmation.codec import confirmation_of, confirmation_to_json, read_confirmation, write_confirmation
from search.confirmation.comparison import verdicts
from search.confirmation.protocol import confirm, to_confirm
from search.confirmation.record import Confirmation, Estimate
from search.confirmation.selection import finalists

__all__ = [
    "Confirmation",
    "Estimate",
    "confirm",
    "confirmation_of",
    "confirmation_to_json",
    "finalists",
    "read_confirmation",
    "to_confirm",
    "verdicts",
    "write_confirmation",
]
