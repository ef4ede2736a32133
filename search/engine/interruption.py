"""Ctrl-C: the first lets what is in flight end, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from search.workers import Workers


@contextmanager
def gently(workers: Workers, say: Callable[[str], object]) -> Iterator[None]:
    """Let the first Ctrl-C drain the workers, the second raise KeyboardInterrupt; only the main thread hears them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def heard(*_: object) -> None:
        if workers.draining:
            raise KeyboardInterrupt
        workers.drain()
        with suppress(RuntimeError):  # of an output that was interrupted itself
            say("finishing what is in flight; Ctrl-C again stops at once")

    before = signal.signal(signal.SIGINT, heard)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
