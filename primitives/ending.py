"""Code of a user's that tries to end the process: it is named with file and line."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from primitives.errors import EndsProcessError

PREFIX = "actsearch_file_"  #: what the names of a user's files among Python's modules begin with

_FOLDERS: set[Path] = set()  # of the user's files that were run


def brought(folder: Path) -> None:
    """Note that a file of this folder is run; from the first on its code cannot call ``os._exit``.

    The call is an EndsProcessError there. In a process that the code has forked it is what it always was.
    """
    if not _FOLDERS:
        _guard()
    _FOLDERS.add(folder)


@contextmanager
def contained() -> Iterator[None]:
    """Run a user's code, which must not end the process by ``sys.exit()`` or a KeyboardInterrupt of its own.

    Raises:
        EndsProcessError: it tries; the message names the file and the line.
        KeyboardInterrupt: of a signal, or of code that is not the user's.
        SystemExit: of code that is not the user's.
    """
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as end:
        lines = [(frame, line) for frame, line in traceback.walk_tb(end.__traceback__) if _is_users(frame)]
        if not lines or (isinstance(end, KeyboardInterrupt) and _of_a_signal(end)):
            raise
        error = _error(*lines[-1], f"{type(end).__name__}: {end}".removesuffix(": "))
        raise error.with_traceback(end.__traceback__) from None


def _error(frame: FrameType, line: int, what: str) -> EndsProcessError:
    return EndsProcessError(
        f"{frame.f_code.co_filename}, line {line}: {what}: a file of yours must not end the process"
    )


def _is_users(frame: FrameType) -> bool:
    """True in a user's file, and in what lies beside or below it, unless it is ours or an installed package."""
    if str(frame.f_globals.get("__name__")).startswith(PREFIX):
        return True
    path = Path(frame.f_code.co_filename)
    return not (_ours(frame) or "site-packages" in path.parts or _FOLDERS.isdisjoint(path.parents))


def _ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in ("search", "evaluators", "primitives")


def _of_a_signal(end: KeyboardInterrupt) -> bool:
    """True where a handler of this project has raised it, or may Python's own, which does so wherever it was heard."""
    frame = [frame for frame, _ in traceback.walk_tb(end.__traceback__)][-1]
    main = threading.current_thread() is threading.main_thread()
    return _ours(frame) or (main and signal.getsignal(signal.SIGINT) is signal.default_int_handler)


def _guard() -> None:
    leave, own = os._exit, os.getpid()

    @functools.wraps(leave)
    def refuse(status: int) -> NoReturn:
        caller = sys._getframe(1)
        if os.getpid() == own and _is_users(caller):
            raise _error(caller, caller.f_lineno, f"os._exit({status})")
        leave(status)

    os._exit = refuse
