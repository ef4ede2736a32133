"""Harm to a small job on a random schedule, which ends as one that was left alone.

A round launches a job, resumes it until it is done, writes its report, exports it, and makes a table of another job.
Each of these commands is killed, told to end, loses a worker, finds the disk full, or finds a bit of a file flipped, at
a random moment of the time that it takes when it is left alone; then it is given again. At the end everything is
compared to the byte. Commands are forked from a process that has imported all, so that a moment falls into their work.

    python -m tests.search_tests.chaos --rounds 200
    python -m tests.search_tests.chaos --rounds 1 --seed 17 --workers 1
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from search import Run
from tests.search_tests.conftest import SMALL, contents

CHANGES = ("budget=48", "confirmation.seeds=8", "confirmation.steps=24")
TARGETS = "torch,latex,c"
MARK = "ACTSEARCH_CHAOS"  # in the environment of all processes of a command
HARMS = ("kill", "terminate", "fill the disk")
MOST = 3  # harms to one command; then it is left alone
PATIENCE = 180.0  # seconds for a command: more than any takes
RAY_START = 15.0  # seconds, about
OURS = {0, 1, 2, 143}  # exit codes
RUNS, RUN, TABLE = Path("runs"), "harmed", "table"

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["search.run", "search.tabular.tabulate", "search.export.plot", "search.commands.cli"])


class Chaos(AssertionError):
    """Something was lost, half written, or wrong in silence."""


def _command(arguments: tuple[str, ...], folder: str, out: Connection, mark: str) -> None:
    """Runs in the forked process."""
    from search.commands.cli import main

    os.setsid()
    os.chdir(folder)
    os.environ[MARK] = mark
    for descriptor in (1, 2):
        os.dup2(out.fileno(), descriptor)
    sys.argv = ["actsearch", *arguments]
    main()


class Command:
    """A command at work.

    Args:
        arguments: of ``actsearch``.
        folder: to work in.
    """

    def __init__(self, arguments: tuple[str, ...], folder: Path) -> None:
        self._said = bytearray()
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        reading, writing = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(target=_command, args=(arguments, str(folder), writing, self.mark))
        self._process.start()
        writing.close()
        self._reader = threading.Thread(target=self._read, args=(reading,), daemon=True)
        self._reader.start()

    def _read(self, reading: Connection) -> None:
        with reading:
            while block := os.read(reading.fileno(), 1 << 16):
                self._said += block

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self._said.decode(errors="replace")

    def wait(self, seconds: float) -> int | None:
        """Its exit code, negative after a signal; None if it is still at work."""
        self._process.join(seconds)
        code = self._process.exitcode
        if code is not None:
            self._reader.join(5.0)
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the driver alone."""
        os.kill(self.pid, number)

    def kill_a_worker(self, rng: random.Random) -> bool:
        """SIGKILL to one of its workers; False if there is none."""
        workers = [pid for pid, name in processes(self.mark) if name.startswith("ray::Worker")]
        if workers:
            os.kill(rng.choice(workers), signal.SIGKILL)
        return bool(workers)

    def fill_the_disk(self, size: int) -> None:
        """No file of the driver grows beyond a size from here on; what is larger fails in the middle."""
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, hard))


def processes(mark: str) -> Iterator[tuple[int, str]]:
    """Numbers and names of the processes that have a mark in their environment."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                    yield int(folder.name), (folder / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue


def job(workers: int) -> dict[str, tuple[str, ...]]:
    """The commands of a round, in order."""
    changes = [f"--set={change}" for change in CHANGES]
    count = ("--workers", str(workers))
    return {
        "launch": ("launch", "small.yaml", "--run", RUN, *count, *changes),
        "report": ("report", RUN),
        "export": ("export", RUN, "--to", TARGETS),
        "tabulate": ("tabulate", "small.yaml", "--run", TABLE, *count, *changes),
    }


def results(folder: Path) -> dict[str, object]:
    """What must not differ."""
    with chdir(folder):
        front, classes, confirmation = contents(Run.open(RUN))
        table = Run.open(TABLE)
        return {
            "front.csv": front,
            "classes": classes,
            "confirmation": confirmation,
            "exports": {path: data for path, data in snapshot(RUNS / RUN).items() if path.startswith("exports")},
            "table.csv": table.folder.table.read_text(),
            "classes of the table": table.classes(),
            "report": (RUNS / RUN / "report.html").read_text().rstrip().endswith("</html>"),
            "cohort files": [
                path.name for path in sorted((RUNS / RUN / "cohorts").iterdir()) if "damaged" not in path.name
            ],
        }


def snapshot(folder: Path) -> dict[str, bytes]:
    """All files below a folder but locks, by their path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def prepared(folder: Path) -> Path:
    """An empty folder with the config."""
    folder.mkdir()
    (folder / "small.yaml").write_text(SMALL)
    return folder


@dataclass(frozen=True, slots=True)
class Whole:
    """What a round that is left alone gives, and the seconds that each of its commands takes."""

    results: dict[str, object]
    seconds: dict[str, float]


def left_alone(folder: Path) -> Whole:
    """A round without harm, in a new folder."""
    prepared(folder)
    seconds = {}
    for name, arguments in job(workers=0).items():
        began = time.monotonic()
        command = Command(arguments, folder)
        if command.wait(PATIENCE) != 0:
            raise Chaos(f"{' '.join(arguments)}:\n{command.said}")
        seconds[name] = time.monotonic() - began
    return Whole(results(folder), seconds)


@dataclass(frozen=True, slots=True)
class Flip:
    """A file with a flipped bit."""

    path: Path
    before: bytes
    after: bytes

    def undo(self) -> None:
        """Put the bit back, if the file is still there as it was left."""
        if self.path.exists() and self.path.read_bytes() == self.after:
            self.path.write_bytes(self.before)


class Round:
    """A round with harm.

    Args:
        seed: of the schedule.
        folder: a new one.
        whole: of a round that was left alone.
        workers: number of Ray workers; 0 trains in the driver.

    Attributes:
        fell: how often each harm fell where.
        history: the commands, what they said, and what was done to them.
    """

    def __init__(self, seed: int, folder: Path, whole: Whole, workers: int = 0) -> None:
        self.seed, self.folder, self.whole, self.workers = seed, prepared(folder), whole, workers
        self.fell: Counter[str] = Counter()
        self.history: list[str] = []
        self._rng, self._flips = random.Random(seed), list[Flip]()

    def run(self) -> None:
        """Do all of it.

        Raises:
            Chaos: the end is not that of the round that was left alone; the message has the schedule.
        """
        try:
            for name, arguments in job(self.workers).items():
                self._to_the_end(name, arguments)
            found = results(self.folder)
            for what, expected in self.whole.results.items():
                if found[what] != expected:
                    raise Chaos(f"{what} differs: {found[what]!r:.500} instead of {expected!r:.500}")
        except Exception as error:
            told = "\n".join(self.history)
            raise Chaos(f"seed {self.seed}, {self.workers} workers: {error!r}\n{told}") from error

    def _to_the_end(self, name: str, arguments: tuple[str, ...]) -> None:
        """Give a command with harm, three times at most, and then until it is done."""
        run = self.folder / RUNS / (TABLE if name == "tabulate" else RUN)
        for number in range(MOST + 8):
            if name == "launch" and run.exists():
                arguments = ("resume", RUN, "--workers", str(self.workers))
            if 0 < number <= MOST and self._rng.random() < 0.5:
                self._flip(run)
            if self._given(name, arguments, self._harm() if number < MOST else "") == 0:
                return
        raise Chaos(f"{name} does not end")

    def _harm(self) -> str:
        return self._rng.choice([*HARMS, *(["kill a worker"] * 2 if self.workers else [])])

    def _given(self, name: str, arguments: tuple[str, ...], harm: str) -> int:
        """A command, with harm at a random moment; its exit code."""
        before = snapshot(self.folder)
        command = Command(arguments, self.folder)
        code = command.wait(self._moment(name)) if harm else None
        part = _part(name, command.said)
        done = harm if harm and code is None and self._hit(command, harm) else ""
        code = command.wait(PATIENCE)
        self.history.append(f"$ {' '.join(arguments)}\n{command.said.rstrip()}\n# {done or 'left alone'}: {code}")
        if code is None:
            command.signal(signal.SIGKILL)
            raise Chaos("the command hangs")
        if done:
            self.fell[f"{done}: {part}"] += 1
        if code not in (OURS | {-signal.SIGKILL} if done == "kill" else OURS) or "Traceback" in command.said:
            raise Chaos(f"exit code {code}, and perhaps a traceback")
        if code and code > 2 and done != "terminate":
            raise Chaos(f"exit code {code}, and nobody asked it to end")
        if code in (1, 2):
            if name in ("report", "export") and (after := snapshot(self.folder)) != before:
                raise Chaos(f"the command failed and left something: {_differing(before, after)}")
            self._refused(command.said, full=done == "fill the disk")
        return code

    def _moment(self, name: str) -> float:
        """Seconds until the harm."""
        moment = self._rng.uniform(0.0, 1.1 * self.whole.seconds[name])
        if self.workers and name in ("launch", "tabulate"):
            moment += self._rng.uniform(0.0, 1.2 * RAY_START)
        return moment

    def _hit(self, command: Command, harm: str) -> bool:
        """Do harm; False if there is nothing left to do it to."""
        try:
            if harm == "kill a worker":
                return command.kill_a_worker(self._rng)
            if harm == "fill the disk":
                command.fill_the_disk(self._rng.randrange(60_000))
            else:
                command.signal(signal.SIGKILL if harm == "kill" else signal.SIGTERM)
        except ProcessLookupError:
            return False
        return True

    def _flip(self, run: Path) -> None:
        """Flip a bit of a file that is read again."""
        read = [run / path for path in snapshot(run) if not path.startswith(("exports", "report.html"))]
        files = [path for path in read if path.stat().st_size]
        if files:
            path = self._rng.choice(files)
            before = path.read_bytes()
            after = bytearray(before)
            after[self._rng.randrange(len(after))] ^= 1 << self._rng.randrange(8)
            path.write_bytes(after)
            self._flips.append(Flip(path, before, bytes(after)))
            self.fell[f"flip a bit: {path.relative_to(run).parts[0]}"] += 1
            self.history.append(f"# a bit of {path.relative_to(self.folder)} is flipped")

    def _refused(self, said: str, *, full: bool) -> None:
        """A refusal has a reason: a full disk, or a flipped bit whose file it names; the bit is put back."""
        named = [flip for flip in self._flips if flip.path.name in said]
        if not named and not (full and "cannot " in said):
            raise Chaos(f"refused for nothing that was done, or without the name of the file; flipped: {self._flips}")
        for flip in named:
            flip.undo()


def _part(name: str, said: str) -> str:
    """The part of a job that a command is at, by what it said so far."""
    if name != "launch":
        return name
    if "report: " in said:
        return "the job's end"
    if "confirming the finalists" in said:
        return "confirmation"
    return "search" if "up to" in said else "start"


def _differing(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, help="of the first round; by default a random one")
    parser.add_argument("--workers", type=int, default=0, help="Ray workers")
    arguments = parser.parse_args()
    first = random.SystemRandom().randrange(10**6) if arguments.seed is None else arguments.seed
    fell, failed = Counter[str](), list[int]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = left_alone(folder / "whole")
        for seed in range(first, first + arguments.rounds):
            each = Round(seed, folder / str(seed), whole, arguments.workers)
            try:
                each.run()
            except Chaos as error:
                failed.append(seed)
                print(error, flush=True)
            fell += each.fell
            shutil.rmtree(each.folder)
            print(
                f"seed {seed}: {'failed' if seed in failed else 'equal'}; {each.fell.total()} times harmed", flush=True
            )
    for harm, count in sorted(fell.items()):
        print(f"{count:6,}  {harm}")
    print(f"{arguments.rounds} rounds from seed {first}, {len(failed)} failed: {failed}")


if __name__ == "__main__":
    main()
