"""Signals that ask this process to stop: Ctrl-C, SIGTERM of systemd, Slurm and Kubernetes, SIGHUP of a closed ssh."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def heard(act: Callable[[], object]) -> Iterator[None]:
    """Call ``act`` at each of the signals; once one was heard, the first decides how the body ends.

    A signal that is ignored, as SIGHUP under nohup, stays so. Only the main thread hears signals; in another one
    nothing is changed.

    Raises:
        KeyboardInterrupt: the first was Ctrl-C.
        SystemExit: it was another one; the code is 128 and its number.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers: list[int] = []

    def hear(number: int, _: object) -> None:
        numbers.append(number)
        act()

    untouched = (signal.SIG_IGN, None)  # None: set by another language, which Python cannot put back
    before = {each: signal.signal(each, hear) for each in SIGNALS if signal.getsignal(each) not in untouched}
    try:
        yield
        if numbers:
            raise KeyboardInterrupt
    except (KeyboardInterrupt, SystemExit):
        if numbers and numbers[0] != signal.SIGINT:
            raise SystemExit(128 + numbers[0]) from None
        raise
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def at_once() -> Iterator[None]:
    """Stop at the first signal, as Python does at Ctrl-C; see :func:`heard`."""

    def stop() -> None:
        raise KeyboardInterrupt

    with heard(stop):
        yield
