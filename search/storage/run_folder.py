"""The run folder: where everything of a run lies, and the lock that keeps a second process out."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TextIO

from primitives.errors import nearest
from primitives.quoting import quoted, visible
from search.errors import FileError, RunError
from search.storage.files import writing
from search.storage.folders import made
from search.storage.run_record import read_run_record
from search.trust import RUNS

LONGEST = 1000  #: characters of a new run's path


class RunFolder:
    """Paths of one run.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.config = path / "config.yaml"
        self.record = path / "run.json"
        self.environment = path / "environment.json"
        self.baseline = path / "baseline"
        self.cohorts = path / "cohorts"
        self.mixtures = path / "mixtures"
        self.checkpoints = path / "checkpoints"
        self.journal = path / "study.journal"
        self.trace = path / "cohorts.jsonl"
        self.front = path / "front.csv"
        self.strategy = path / "strategy.state"
        self.confirmation = path / "confirmation.json"
        self.confirming = path / "confirmation"
        self.timing = path / "timing.json"
        self.table = path / "table.csv"
        self.report = path / "report.html"
        self.exports = path / "exports"
        self._lock = path / "lock"

    @cached_property
    def run(self) -> str:
        """The run's id, which its sealed files have; "" for a run of an older version.

        Raises:
            DamageError: ``run.json`` is torn or changed.
        """
        record = read_run_record(self.record)
        return "" if record is None else record.id

    def cohort(self, number: int) -> Path:
        """The file of a finished cohort."""
        return self.cohorts / f"{number:06d}.json"

    def known(self, number: int) -> Path:
        """The file of a finished cohort of the baseline."""
        return self.baseline / f"{number:06d}.json"

    def mixture(self, seed: int) -> Path:
        """The file of a trained mixture."""
        return self.mixtures / f"{seed:019d}.json"

    def checkpoint(self, number: int) -> Path:
        """The beginning of the names of the files with the state of an unfinished cohort."""
        return self.checkpoints / f"{number:06d}"

    def sweep_checkpoints(self, done: Callable[[int], bool]) -> None:
        """Make the folder of states, and delete those of the cohorts for whose number ``done`` is true."""
        with writing(self.checkpoints):
            self.checkpoints.mkdir(exist_ok=True)
            for path in self.checkpoints.iterdir():
                number, _, _ = path.name.partition("-")
                if number.isdecimal() and done(int(number)):
                    path.unlink(missing_ok=True)

    def check_free(self) -> None:
        """Raise RunError if the folder exists, as a run is never overwritten, or has a name that cannot be shown."""
        name = str(self.path)
        if visible(name) != name or len(name) > LONGEST:
            raise RunError(f"{quoted(name)}: expected at most {LONGEST} characters, none of them a control character")
        if os.path.lexists(self.path):
            raise RunError(f"{self.path} exists already; resume it, or choose another name with --run")

    def create(self, write: Callable[[RunFolder], object] = str) -> None:
        """Make the folder with its first files, all of them or nothing: it is made beside its place and renamed.

        Args:
            write: writes the files into the folder that it is given.

        Raises:
            RunError: it exists already or cannot be made.
            FileError: a file cannot be written.
        """
        self.check_free()
        fresh = RunFolder(self.path.with_name(f".{self.name}.new-{os.getpid()}"))
        with made(self.path.parent):
            try:
                fresh.path.mkdir()
                fresh.cohorts.mkdir()
                write(fresh)
                fresh.path.rename(self.path)
            except OSError as error:
                raise RunError(f"cannot make {self.path}: {error.strerror}") from None
            finally:
                shutil.rmtree(fresh.path, ignore_errors=True)

    @contextmanager
    def locked(self, say: Callable[[str], object] = str) -> Iterator[None]:
        """Hold the run; the operating system gives the lock back when the process dies.

        Args:
            say: is told whose lock was left over and taken.

        Raises:
            RunError: another process holds it; the message names its host and process id.
            FileError: the folder cannot be written to.
        """
        with writing(self._lock):
            file = self._lock.open("a+", encoding="utf-8")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunError(f"{self.path} is in use by {_holder(file) or 'another process'}") from None
            if dead := _holder(file):
                say(f"{dead} ended without releasing {self.path}; its lock is taken over")
            self._sign(file, f"process {os.getpid()} on {platform.node()}")
            try:
                yield
            finally:
                with suppress(FileError):  # a full disk is complained about elsewhere
                    self._sign(file, "")

    def _sign(self, file: TextIO, text: str) -> None:
        with writing(self._lock):
            file.truncate(0)
            file.write(text)
            file.flush()


def _holder(file: TextIO) -> str:
    """Who signed a lock."""
    file.seek(0)
    return file.read().strip()


def find_run(name: str | Path) -> RunFolder:
    """A run by path, or by its name under ``runs/``.

    Raises:
        RunError: there is none, the message names the nearest one; or what lies in it is no plain
            file, or leads out of it.
    """
    for path in (Path(name), RUNS / name):
        if any(os.path.isfile(path / file) for file in ("config.yaml", "run.json")):
            _check_plain(path)
            return RunFolder(path)
    others = sorted(p.parent.name for p in RUNS.glob("*/config.yaml"))
    raise RunError(
        f"no run {quoted(str(name))}{nearest(str(name), others)}; under {RUNS}/: {', '.join(others) or 'none'}"
    )


def _check_plain(folder: Path) -> None:
    """Refuse a folder in which something is neither a file nor a folder, or a link that leads out of it.

    Reading a pipe waits for ever; reading and writing through a link touches what is not the run's.
    """
    root = os.path.realpath(folder)
    for parent, folders, names in os.walk(root):
        for path in (os.path.join(parent, name) for name in (*folders, *names)):
            with suppress(FileNotFoundError):  # a job at work replaces files
                mode = os.lstat(path).st_mode
                if stat.S_ISLNK(mode):
                    if os.path.commonpath([root, os.path.realpath(path)]) != root:
                        raise RunError(f"{path} is a link that leads out of the run folder; expected none")
                elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    raise RunError(f"{path} is neither a file nor a folder; expected nothing else in a run folder")


def named_folder(name: str) -> RunFolder:
    """The folder of a path, or of a name under ``runs/``."""
    path = Path(name)
    return RunFolder(path if os.sep in name else RUNS / name)


def free_name(stem: str) -> RunFolder:
    """A folder under ``runs/`` that does not exist: the stem, or the stem with the first free number."""
    number, path = 1, RUNS / stem
    while path.exists():
        number += 1
        path = RUNS / f"{stem}-{number}"
    return RunFolder(path)
