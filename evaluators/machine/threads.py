"""One thread for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch, and for the linear algebra of numpy and scipy.

    Work on arrays of a thousand numbers is four times slower on two threads, and many times slower where others want
    the processors, too. Sums over several threads may round otherwise: what is computed here decides what is proposed.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(before)
