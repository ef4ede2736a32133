"""Stores: where the cohorts of a run are kept. A new one is a class, named here."""

from search.storage.base import Store
from search.storage.journal_store import Ahead, open_store, read_store, recorded_objectives, stored_trace
from search.storage.memory import MemoryStore

__all__ = ["Ahead", "MemoryStore", "Store", "open_store", "read_store", "recorded_objectives", "stored_trace"]
