"""What the driver costs: the real loop with workers that answer at once, with made-up losses.

Everything else is as in a job: the strategy proposes, proposals are screened and classed, a cohort's file, the journal,
the front and the trace are written, with their fsyncs. Printed are candidates a second and memory, and what each
strategy's proposals cost with 1,000 and with 50,000 trials in the study.

    OMP_NUM_THREADS=1 python benchmarks/driver.py --trials 10000
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import itertools
import os
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from evaluators.asked import Request
from evaluators.cohort import CohortRequest
from evaluators.controls import CONTROLS
from evaluators.results.records import CohortResult, MemberResult
from primitives import grammar
from search.config import Config, checked
from search.engine.loop import Progress, search
from search.engine.recorder import Recorder
from search.engine.rows import write_front_csv
from search.engine.study import Study
from search.records.cohort import CohortRecord, Exemption, Plan
from search.records.trace_entry import TraceEntry
from search.records.trial import TrialRecord
from search.storage import open_store
from search.storage.run_folder import RunFolder
from search.strategies import Proposal, strategy
from search.workers import Workers

SIZE, SEEDS = 24, 2
FEW, MANY = 1_000, 50_000
STRATEGIES: dict[str, dict[str, Any]] = {
    name: {"name": name} for name in ("random", "evolution", "nsga2", "late_acceptance", "controller", "surrogate")
} | {"optuna, TPE, gain": {"name": "optuna", "objectives": "gain"}}


class Instant(Workers):
    """Workers that answer at once; a loss follows from the expression's text."""

    def __init__(self) -> None:
        self._queue: deque[tuple[int, CohortRequest]] = deque()

    def submit(self, number: int, request: Request) -> None:
        assert isinstance(request, CohortRequest)
        self._queue.append((number, request))

    def next(self) -> tuple[int, CohortResult]:
        number, request = self._queue.popleft()
        return number, CohortResult(
            candidates=tuple(row(text, request) for text in request.expressions),
            controls={name: row(text, request) for name, text in CONTROLS.items()},
            nulls=tuple(row("relu(x)", request) for _ in range(request.nulls)),
            seconds=dict.fromkeys(request.tasks, 0.0),
        )

    def close(self) -> None:
        self._queue.clear()


def row(text: str, request: CohortRequest) -> MemberResult:
    """A member's row: at each rung the same losses, from 0.1 to 1.1 by the hash of its text."""
    digest = hashlib.sha256(text.encode()).digest()
    losses = np.array([[0.1 + digest[s * len(request.rates) + r] / 256 for r in range(len(request.rates))]
                       for s in range(request.seeds)])  # fmt: skip
    return MemberResult(dict.fromkeys(request.tasks, dict.fromkeys((*request.rungs, request.steps), losses)))


def config(trials: int) -> Config:
    return checked(
        {
            "budget": trials,
            "strategy": "evolution",
            "cohorts": {"size": SIZE},
            "training": {"seeds": SEEDS, "steps": 100, "rungs": [25, 50]},
            "confirmation": {"finalists": 0},
        },
        "driver.py",
    )


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def run_job(trials: int, folder: Path) -> list[tuple[int, float, float, int]]:
    """Trials, seconds of this process, seconds of the clock and bytes in memory at some moments of a job."""
    chosen, run = config(trials), RunFolder(folder)
    run.cohorts.mkdir(parents=True)
    study = Study(open_store(run, print, chosen.scoring), chosen.scoring)
    counts = [FEW, *range(trials // 4, trials + 1, trials // 4)]
    measured: list[tuple[int, float, float, int]] = []

    def note(progress: Progress) -> None:
        write_front_csv(run, study, chosen.tasks)
        if len(measured) < len(counts) and progress.entry.trained >= counts[len(measured)]:
            measured.append((progress.entry.trained, time.process_time(), time.perf_counter(), resident()))

    search(chosen, Recorder(study, chosen), Instant(), note, folder=run)
    return measured


def job_table(measured: Sequence[tuple[int, float, float, int]]) -> Table:
    table = Table("trials", "candidates/s, processor", "candidates/s, clock", "KB a candidate", title="evolution")
    for before, after in itertools.pairwise(measured):
        count = after[0] - before[0]
        table.add_row(
            f"{before[0]:,} to {after[0]:,}",
            f"{count / (after[1] - before[1]):.0f}",
            f"{count / (after[2] - before[2]):.0f}",
            f"{(after[3] - before[3]) / count / 1024:.1f}",
        )
    return table


def filled(folder: Path, trials: int) -> Study:
    """A study with trials of random expressions; of each there is what strategies look at, and no more."""
    source, rng = grammar("default"), np.random.Generator(np.random.PCG64(0))
    run, scoring, now = RunFolder(folder), config(trials).scoring, datetime.now(UTC)
    run.create()
    store = open_store(run, print, scoring)
    nothing = CohortResult(candidates=(), controls={}, nulls=(), seconds={})
    store.append(
        CohortRecord(Plan(0, (), {}), (), now, now, nothing),
        [_trial(number, source.sample(rng).text, rng) for number in range(trials)],
        TraceEntry(0, trials, trials, {}, None, {}, 0, None),
    )
    study = Study(store, scoring)
    gc.collect()
    gc.freeze()  # as the loop does
    return study


def _trial(number: int, text: str, rng: np.random.Generator) -> TrialRecord:
    values = {"gain": float(rng.normal()), "cost": float(rng.random())}
    audited = number % 20 == 0
    return TrialRecord(
        f"0.{number}", text, str(number), gain_over={"relu": values["gain"]}, gains={"digits": (values["gain"],)},
        exempt=Exemption.AUDIT if audited else None, objectives=values,
        relative_losses=(0.1, 0.05, -values["gain"]) if audited else (),
    )  # fmt: skip


def growth(study: Study, known: int, more: int) -> float:
    """Milliseconds a candidate of the real loop, with its files, that goes on from a study; without its first half."""
    chosen = config(known + more)
    marks: list[tuple[int, float]] = []

    def note(progress: Progress) -> None:
        marks.append((progress.entry.trained, time.thread_time()))

    search(chosen, Recorder(study, chosen), Instant(), note)
    (first, before), (last, after) = marks[len(marks) // 2], marks[-1]
    return 1e3 * (after - before) / (last - first)


def growth_table(sizes: Sequence[int], folder: Path) -> Table:
    table = Table("known candidates", "ms a candidate", title="the loop that goes on from a long history, evolution")
    for known in sizes:
        table.add_row(f"{known:,}", f"{growth(filled(folder / str(known), known), known, 1_920):.2f}")
    return table


def ask_cost(study: Study, settings: dict[str, Any], trials: int, cohorts: int = 8) -> tuple[float, float]:
    """Milliseconds a candidate in the cohorts that end at ``trials``; seconds until the first, as after a resume."""
    chosen = strategy(dict(settings), grammar("default"))
    first = trials - cohorts * SIZE
    rng = np.random.Generator(np.random.PCG64(1))
    started = time.process_time()
    waiting: list[Proposal] = chosen.ask(study.history(first), [], SIZE, rng)
    ready = time.process_time()
    for number in range(1, cohorts + 1):
        waiting = chosen.ask(study.history(first + number * SIZE), waiting, SIZE, rng)
    return 1e3 * (time.process_time() - ready) / (cohorts * SIZE), ready - started


def cost_table(study: Study, many: int) -> Table:
    table = Table("strategy", f"ms a candidate at {FEW:,}", f"at {many:,}", "ratio", f"s to begin at {many:,}")
    for name, settings in STRATEGIES.items():
        few, _ = ask_cost(study, settings, FEW)
        later, begin = ask_cost(study, settings, many)
        table.add_row(name, f"{few:.2f}", f"{later:.2f}", f"{later / few:.2f}", f"{begin:.1f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000, help="of the job; at least 4,000")
    parser.add_argument("--growth", type=int, nargs="*", help="measure the loop alone, after so many known candidates")
    parser.add_argument("--many", type=int, default=MANY, help="trials in the study of the second table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=120)
    with TemporaryDirectory() as folder:
        if arguments.growth:
            console.print(growth_table(arguments.growth, Path(folder)))
            return
        console.print(job_table(run_job(arguments.trials, Path(folder) / "run")))
        console.print(cost_table(filled(Path(folder) / "filled", arguments.many), arguments.many))


if __name__ == "__main__":
    main()
