"""Where the cohorts of a run are kept. Another storage is a class of its own and the line that names it here."""

from search.storage.base import Store
from search.storage.journal_store import open_store, read_store, stored_trace
from search.storage.memory import MemoryStore

__all__ = ["MemoryStore", "Store", "open_store", "read_store", "stored_trace"]
