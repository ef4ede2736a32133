"""Seconds and CPU seconds from a command to its first result: ``actsearch launch quickstart``, with Ray and without.

Another revision of the code, in a work tree of its own, may be given: its runs alternate with those of this one.

    git worktree add /tmp/before main
    PYTHONPATH=. python benchmarks/first_result.py --times 3 --before /tmp/before
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parents[1]
PROBE = Path(__file__).resolve().parent / "first_result_probe"
COMMAND = "from search.commands.cli import main; main()"
LAST = "digits-10x32"  # the second task of the quickstart: a candidate is trained when it is trained on both
TICKS = os.sysconf("SC_CLK_TCK")
LOOK, LONGEST = 0.05, 300.0  # seconds between two looks, and for a run

#: What is waited for, in order: the beginning of the probe's line; of the last the run has the file.
EVENTS = {"training begins": "train ", "first losses": "rung ", "first trained candidate": f"end {LAST}"}
COHORT = "first cohort"


@dataclass(slots=True)
class Run:
    """A run: seconds, and CPU seconds of all of its processes, to each event."""

    seconds: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)


def measured(code: Path, workers: int) -> Run:
    """One run of the code in a folder, ended behind its first cohort."""
    with tempfile.TemporaryDirectory(prefix="f", dir="/tmp") as path:
        folder, run, lines = Path(path), Run(), Path(path, "lines")
        lines.touch()
        environment = os.environ | {
            "PYTHONPATH": f"{PROBE}{os.pathsep}{code}", "FIRST_RESULT": str(lines), "TMPDIR": path,
        }  # fmt: skip
        arguments = ["launch", "quickstart", "--run", str(folder / "run"), "--workers", str(workers)]
        began = time.time()
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments], cwd=path, env=environment, stdout=subprocess.DEVNULL
        )
        try:
            while COHORT not in run.seconds:
                if process.poll() is not None or time.time() - began > LONGEST:
                    raise SystemExit(f"no first cohort: the job ended with {process.poll()}")
                look(run, folder, began)
                time.sleep(LOOK)
        finally:
            process.kill()  # the watcher ends what is left of Ray
            process.wait()
            while processes(lines):
                time.sleep(LOOK)
        return run


def look(run: Run, folder: Path, began: float) -> None:
    """Note what has happened since."""
    lines = Path(folder, "lines")
    for line in lines.read_text().splitlines():
        when, _, what = line.partition(" ")
        for name, start in EVENTS.items():
            if what.startswith(start) and name not in run.seconds:
                run.seconds[name], run.cpu[name] = float(when) - began, spent(lines)
    if any(folder.glob("run/baseline/*.json")):
        run.seconds[COHORT], run.cpu[COHORT] = time.time() - began, spent(lines)


def spent(lines: Path) -> float:
    """CPU seconds of all processes of a run, and of those that they have waited for."""
    total = 0
    for process in processes(lines):
        with suppress(OSError):
            stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, stat[11:15]))
    return total / TICKS


def processes(lines: Path) -> list[int]:
    """Those that have inherited the run's environment, Ray's too."""
    mark, found = f"FIRST_RESULT={lines}\0".encode(), []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (path / "environ").read_bytes():
                found.append(int(path.name))
    return found


def main() -> None:
    """Print a table: medians, and the range of the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--before", type=Path, help="a work tree of another revision")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    arguments = parser.parse_args()
    codes = {"before": arguments.before.resolve()} if arguments.before else {}
    kinds = list(itertools.product((codes | {"this": HERE}).items(), arguments.workers))
    runs: dict[tuple[str, int], list[Run]] = {(name, workers): [] for (name, _), workers in kinds}
    for _, ((name, code), workers) in itertools.product(range(arguments.times), kinds):
        runs[name, workers].append(measured(code, workers))
    print(f"seconds, median (least to most), and CPU seconds, median, of {arguments.times} runs")
    for (name, workers), found in runs.items():
        for event in (*EVENTS, COHORT):
            seconds = [run.seconds[event] for run in found]
            cpu = median(run.cpu[event] for run in found)
            span = f"{median(seconds):5.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
            print(f"{name:7} --workers {workers}  {event:24} {span:22} {cpu:5.1f} CPU")


if __name__ == "__main__":
    main()
