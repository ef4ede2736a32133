"""What a strategy has learnt, saved beside a run, so that a resumed job need not learn it anew from all results."""

from __future__ import annotations

from search.storage.arrays_file import read_arrays, write_arrays
from search.storage.run_folder import RunFolder
from search.strategies import Strategy
from search.strategies.base import Arrays

EVERY = 16  # cohorts between two states that are saved; learning from so many takes about a second


class Learnt:
    """Saves the state of a strategy that has one, and gives it back.

    A state is written once the cohort that was proposed from it is told. So, wherever the job is killed, what is
    proposed next is proposed from no fewer results than the state has seen.

    Args:
        strategy: of the job.
        folder: of the run; nothing is saved without one.
    """

    def __init__(self, strategy: Strategy, folder: RunFolder | None) -> None:
        self._strategy, self._folder = strategy, folder
        self._waiting: tuple[int, Arrays] | None = None
        if folder is not None and (arrays := read_arrays(folder.strategy, folder.run)):
            strategy.unpack(arrays)

    def proposed(self, number: int) -> None:
        """A cohort was proposed just now."""
        if self._folder is not None and not number % EVERY and self._waiting is None:
            arrays = self._strategy.packed()
            self._waiting = (number, arrays) if arrays else None

    def told(self, number: int) -> None:
        """A cohort was recorded.

        Raises:
            FileError: the state cannot be written.
        """
        if self._folder is not None and self._waiting is not None and number >= self._waiting[0]:
            write_arrays(self._folder.strategy, self._waiting[1], self._folder.run)
            self._waiting = None
