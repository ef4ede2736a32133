"""One thread for a while."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch, and for the linear algebra of numpy and scipy.

    Work on arrays of a thousand numbers is four times slower on two threads, and many times slower where others want
    the processors, too. Sums over several threads may round otherwise: what is computed here decides what is proposed.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _libraries(len(sys.modules)).limit(limits=1):
            yield
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """The libraries of linear algebra: looking for them takes half a millisecond, and more come with modules alone."""
    return ThreadpoolController()
