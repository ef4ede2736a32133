"""Seconds in which this process ran. A process that is stopped (Ctrl-Z, SIGSTOP) is not, and no limit of time passes.

The operating system does not tell for how long a process was stopped. A thread looks at the clock each second: where
much more than that lies between two looks, the process was stopped between them.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable

LOOK = 1.0
#: Seconds between two looks that count, at most: on a busy machine two looks may lie further apart than they should.
LONGEST = 3.0


class RunningClock:
    """Adds up the time between looks.

    Args:
        now: gives seconds that never go back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen = now(), 0.0  # when it was looked at last, and the seconds until then; replaced as one

    def look(self) -> None:
        """Note that the process runs; one thread does."""
        now = self._now()
        self._seen = now, self._at(now)

    def seconds(self) -> float:
        """Seconds so far."""
        return self._at(self._now())

    def _at(self, now: float) -> float:
        last, ran = self._seen
        return ran + min(now - last, LONGEST)


@functools.cache
def _clock() -> RunningClock:
    clock = RunningClock()

    def look_on() -> None:
        while True:
            time.sleep(LOOK)
            clock.look()

    threading.Thread(target=look_on, name="running", daemon=True).start()
    return clock


def seconds_run() -> float:
    """Seconds for which this process has run since some moment: differences mean something."""
    return _clock().seconds()
