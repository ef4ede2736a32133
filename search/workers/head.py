"""A Ray of this job alone on this machine, started by a process of its own: this one goes on meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from evaluators.machine.running import seconds_run
from search.errors import WorkerError
from search.workers import head_process, session
from search.workers.actor import PACKAGES
from search.workers.environment import ENVIRONMENT, RAY
from search.workers.head_process import ADDRESS, REFUSED, may_pass
from search.workers.session import end_processes
from search.workers.signals import signals_kept
from search.workers.temp_dir import session_folder

STARTS = 2  #: of Ray here, as one on a busy machine may come too late
LONGEST = 300.0  #: seconds for one start
_PAUSE = 0.05  # seconds between two looks while nothing else is to be done
_LOOKS = 100  # for processes that are to end


class Head:
    """Ray's servers here; they are ended with this job, whatever ends it.

    Args:
        count: number of workers that they are to have room for.
        temp_dir: where their folder is made, see :func:`session_folder`.

    Attributes:
        folder: theirs.

    Raises:
        ConfigError: the temporary folder cannot be used.
        WorkerError: there is no folder, or the process cannot be started.
    """

    def __init__(self, count: int, temp_dir: str | None = None) -> None:
        self.folder = ""
        self._count, self._temp_dir, self._left = count, temp_dir, STARTS
        self._watcher: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._start()

    def address(self) -> str | None:
        """Where Ray is to be reached; None while it starts. Does not wait.

        Raises:
            WorkerError: it cannot be started.
        """
        is_there = self._process is not None and self._process.poll() is None
        with suppress(FileNotFoundError):
            if is_there:
                return Path(self.folder, ADDRESS).read_text()
        late = seconds_run() - self._began > LONGEST
        if late or not is_there:
            self._failed(late=late)
        return None

    def wait(self) -> str:
        """The address, as soon as it is there; see :meth:`address`."""
        while (address := self.address()) is None:
            time.sleep(_PAUSE)
        return address

    def again(self, error: Exception) -> None:
        """Start anew after an error of whoever came to the address.

        Raises:
            WorkerError: that was the last start, or the error will not pass.
        """
        self._again(" ".join(str(error).split()), may_pass=may_pass(error))

    def close(self) -> None:
        """End all processes of Ray here and remove their folder; may be called at any time, and twice."""
        with signals_kept():
            if self._process is not None:
                _end(self._process)
                self._process = None
            if self.folder:
                for _ in range(_LOOKS):
                    if not end_processes(self.folder):
                        break
                    time.sleep(_PAUSE)  # one that was just being started may come late
            if self._watcher is not None:
                _end(self._watcher)
                self._watcher = None
            if self.folder:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder = ""

    def _start(self) -> None:
        self._left -= 1
        self._began = seconds_run()
        try:
            self.folder = session_folder(self._temp_dir)
            with signals_kept():
                self._watcher = watched(self.folder)
                self._process = _started(self.folder, self._count)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise WorkerError(_cannot(str(error))) from None
            raise

    def _failed(self, *, late: bool) -> None:
        """Find out why, and start anew where that may help."""
        error, passes = f"no answer within {LONGEST:.0f} s" if late else "its process has ended", True
        with suppress(OSError, ValueError):
            told = json.loads(Path(self.folder, REFUSED).read_text())
            error, passes = str(told["error"]), bool(told["may_pass"])
        self._again(error, may_pass=passes)

    def _again(self, error: str, *, may_pass: bool) -> None:
        self.close()
        if not (self._left and may_pass):
            raise WorkerError(_cannot(error))
        self._start()


def watched(folder: str) -> subprocess.Popen[bytes]:
    """Start the watcher, in a session of its own: what ends this process's group does not end it."""
    return subprocess.Popen(
        [sys.executable, "-I", session.__file__, str(os.getpid()), folder],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _started(folder: str, count: int) -> subprocess.Popen[bytes]:
    """Start the process. It writes to a file of the folder, by which the watcher knows it; Ray's inherit its settings.

    Its own folder is not searched for modules, nor the working folder.
    """
    paths = os.pathsep.join(filter(None, [str(PACKAGES[0].parent), os.environ.get("PYTHONPATH", "")]))
    with open(os.path.join(folder, "head.log"), "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-P", head_process.__file__, folder, str(count)], stdin=subprocess.PIPE, stdout=log,
            stderr=log, start_new_session=True, env=os.environ | ENVIRONMENT | RAY | {"PYTHONPATH": paths},
        )  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    if process.stdin is not None:
        process.stdin.close()
    process.wait()


def _cannot(why: str) -> str:
    out = "--workers 0 works without it, --temp-dir DIR gives its files another folder"
    return f"cannot start Ray: {why}; {out}"
