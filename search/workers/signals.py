"""Signals that stop a job are the driver's: Ray's processes do not hear them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Signals that Ray's processes on the driver's machine do not hear: whether a job stops is the driver's to decide.
HELD = (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)


@contextmanager
def signals_kept() -> Iterator[None]:
    """Keep signals that stop a job from Ray: they are heard afterwards, by who heard them before.

    Ray takes SIGTERM over, prints a dump of C++ frames and aborts. And its processes are in the driver's group: what is
    sent to that, by a closed ssh or ``kill``, would end them while the driver waits for what is in flight. They inherit
    that the signals are blocked.
    """
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    ended = False
    try:
        yield
    except SystemExit as end:  # of Ray's handler, where another thread has taken the signal
        ended = end.code == signal.SIGTERM
        if not ended:
            raise
    finally:
        if main and handler is not None:
            signal.signal(signal.SIGTERM, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if ended:
        signal.raise_signal(signal.SIGTERM)
