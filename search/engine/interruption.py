"""A job that is asked to stop: the first signal lets what is in flight end, the second stops at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from primitives.quoting import command
from search.errors import FileError, WorkerError
from search.stopping import heard
from search.storage.run_folder import RunFolder
from search.workers import Workers


@contextmanager
def gently(workers: Workers, say: Callable[[str], object]) -> Iterator[None]:
    """Let the first signal drain the workers, the second stop at once; see :func:`search.stopping.heard`."""

    def stop() -> None:
        if workers.draining:
            raise KeyboardInterrupt
        workers.drain()
        with suppress(RuntimeError, OSError):  # of an output that was interrupted itself, or is gone
            say("finishing what is in flight; Ctrl-C again stops at once")

    with heard(stop):
        yield


@contextmanager
def resumable(folder: RunFolder, say: Callable[[str], object], verb: str = "resume") -> Iterator[None]:
    """Say how to go on with a run whose work ends early."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, FileError, WorkerError) as error:
        ended = "ended by an error" if isinstance(error, Exception) else "interrupted"
        say(f"{ended}; nothing finished is lost. Continue with: {command(verb, folder.path)}")
        raise
