"""A Ray of this job alone: a folder of its own, and a watcher that ends all of its processes when the driver is gone.

Ray ends its own processes with the driver, but not all: two agents stay for good after a SIGKILL.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
import time
from contextlib import suppress

LOOK = 0.5  # seconds between two looks at the driver
QUIET = 4  # looks that find no process, before the watcher ends


def end_processes(folder: str) -> int:
    """SIGKILL every other process that writes to a file of the folder, as all of Ray's do; returns how many."""
    ended = 0
    for process in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        if process != os.getpid() and any(file.startswith(f"{folder}/") for file in _written_by(process)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
                ended += 1
    return ended


def _written_by(process: int) -> list[str]:
    """What a process has open for writing; nothing where it has ended or is another user's."""
    files: list[str] = []
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{process}/fd"):
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mode & stat.S_IWUSR:
                    files.append(os.readlink(entry.path))
    return files


def watch(driver: int, folder: str) -> None:
    """Wait until the driver, the parent of this process, is gone; then end what it has left."""
    while os.getppid() == driver:
        time.sleep(LOOK)
    quiet = 0
    while quiet < QUIET:  # one that was just being started may come late
        quiet = 0 if end_processes(folder) else quiet + 1
        time.sleep(LOOK)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2])
