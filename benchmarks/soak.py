"""A long job of a toy task, in stages: what time, memory, files and disk a thousand classes take, and whether it grows.

Each stage is a process of its own: `actsearch launch`, then `actsearch resume --set budget=...`. Between the stages the
run is looked at: status, front, report, and a resume that finds nothing to do. Everything is as in any job but the
training, of a few steps.

    OMP_NUM_THREADS=1 python benchmarks/soak.py --classes 20000
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import yaml
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from evaluators import Task

STAGES, SIZE, THOUSAND = 4, 100, 1_000
COMMAND = [sys.executable, "-c", "from search.commands.cli import main; main()"]
TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


class Toy(Task):
    """A product of two numbers, learnt by eight units."""

    batch_size = 32
    learning_rates = (0.01,)

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x = torch.randn(192, 2, generator=torch.Generator().manual_seed(int(part == "search")))
        return x, x.prod(dim=1, keepdim=True)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean(dim=1)


def settings(classes: int, strategy: str) -> dict[str, object]:
    return {
        "tasks": [f"{Path(__file__).resolve()}:Toy"],
        "strategy": {"name": strategy},
        "budget": classes,
        "cohorts": {"size": SIZE},
        "baseline": {"functions": "none"},
        "training": {"seeds": 1, "race": [], "steps": 4, "rungs": []},
        "confirmation": {"finalists": 0},
        "workers": {"count": 0},
    }


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at work: classes trained so far, its processor time in seconds, its resident memory in bytes."""

    trained: int
    seconds: float
    resident: int


def worked(arguments: Sequence[str], trace: Path) -> list[Sample]:
    """A command, watched: a sample at its first cohort, and at each thousand of classes."""
    samples: list[Sample] = []
    due = classes_in(trace) + SIZE  # what was trained before says nothing of this process
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if (trained := classes_in(trace)) >= due:
                samples.append(Sample(trained, *usage(process.pid)))
                due = (trained // THOUSAND + 1) * THOUSAND
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return samples


def classes_in(trace: Path) -> int:
    """What a run has trained so far."""
    return SIZE * trace.read_bytes().count(b"\n") if trace.exists() else 0


def usage(process: int) -> tuple[float, int]:
    """Processor seconds and resident bytes of a process."""
    stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / TICKS, int(stat[21]) * PAGE


def looked(arguments: Sequence[str]) -> tuple[float, int]:
    """Seconds of the clock and most resident bytes of a command."""
    began = time.perf_counter()
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL)
    _, code, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return time.perf_counter() - began, used.ru_maxrss * 1024


def on_disk(folder: Path) -> tuple[int, int]:
    """Files below a folder, and their bytes."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)


def growth(stages: Sequence[Sequence[Sample]]) -> Table:
    """What each thousand took, within its process."""
    table = Table("classes", "s a 1,000, processor", "MB resident", title="work, a process a stage")
    for stage in stages:
        for before, after in pairwise(stage):
            thousands = (after.trained - before.trained) / THOUSAND
            table.add_row(
                f"{before.trained:,} to {after.trained:,}",
                f"{(after.seconds - before.seconds) / thousands:.1f}",
                f"{after.resident / 1e6:.0f}",
            )
        table.add_section()
    return table


def memory(stages: Sequence[Sequence[Sample]], most: Sequence[int]) -> str:
    """Kilobytes a class, between processes that begin with more classes and do the same: caches are full in all."""
    classes = stages[-1][-1].trained - stages[0][-1].trained
    work = (stages[-1][-1].resident - stages[0][-1].resident) / classes / 1024
    resume = (most[-1] - most[0]) / classes / 1024
    return f"KB a class, last stage over the first: {work:.1f} at its end, {resume:.1f} at most of a resume"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=20_000, help="at the end of the last stage")
    parser.add_argument("--strategy", default="evolution", help="evolution or random")
    arguments = parser.parse_args()
    console = Console(width=120)
    with TemporaryDirectory() as folder:
        run, config = Path(folder) / "run", Path(folder) / "soak.yaml"
        stages, most = list[list[Sample]](), list[int]()
        looks = Table(
            "classes", "files", "MB on disk", "status", "front", "report", "resume", title="s (most MB resident)"
        )
        for stage in range(1, STAGES + 1):
            budget = arguments.classes * stage // STAGES
            config.write_text(yaml.safe_dump(settings(budget, arguments.strategy)))
            begin = ["launch", str(config), "--run", str(run)] if stage == 1 else ["resume", str(run)]
            stages.append(worked([*begin, f"--set=budget={budget}", "--quiet"], run / "cohorts.jsonl"))
            files, size = on_disk(run)
            commands = (["status"], ["front", "--csv"], ["report"], ["resume", "--quiet"])
            taken = [looked([name, str(run), *options]) for name, *options in commands]
            most.append(taken[-1][1])
            cells = [f"{seconds:.1f} ({most / 1e6:.0f})" for seconds, most in taken]
            looks.add_row(f"{budget:,}", f"{files:,}", f"{size / 1e6:.1f}", *cells)
        console.print(growth(stages), looks, memory(stages, most), sep="\n")


if __name__ == "__main__":
    main()
