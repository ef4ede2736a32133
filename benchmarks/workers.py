"""How busy the driver keeps 10, 100 and 1,000 workers: the real loop, simulated workers, virtual time.

Proposals, screens, the order of telling, the study and its files are the job's own code; only the workers are
simulated. Each has one cohort at a time. What a cohort takes is drawn from times measured in a real job
(data/cohort-seconds.txt); one in twenty takes three times as long (a busy machine), and in one of a hundred the worker
dies half-way, is replaced, and the cohort begins anew. Losses follow from the text. Virtual time advances by the
driver's own processor time and by waiting, never by the simulation's work.

    OMP_NUM_THREADS=1 python benchmarks/workers.py --workers 10 100 --lags 1 2 3
"""

from __future__ import annotations

import argparse
import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from driver import row  # type: ignore[import-not-found]  # beside this script
from rich.console import Console
from rich.table import Table

from evaluators.asked import Request
from evaluators.cohort import CohortRequest
from evaluators.controls import CONTROLS
from evaluators.results.records import CohortResult
from search.config import Config, checked
from search.engine.loop import Progress, search
from search.engine.recorder import Recorder
from search.engine.rows import write_front_csv
from search.engine.study import Study
from search.storage import MemoryStore, open_store
from search.storage.run_folder import RunFolder
from search.workers import Finished, Workers

MEASURED = Path(__file__).parent / "data" / "cohort-seconds.txt"
STRAGGLERS, SLOWER = 0.05, 3.0
FAILURES, RESTART = 0.01, 8.0  # seconds until another worker is up


@dataclass(frozen=True, slots=True)
class Times:
    """What cohorts take.

    Args:
        seconds: measured ones.
        faster: by which they are divided, as for a faster engine or a larger task.
    """

    seconds: Sequence[float]
    faster: float = 1.0

    def draw(self, rng: np.random.Generator) -> tuple[float, float]:
        """Seconds that are lost with a worker that dies, and seconds of the training that ends well."""
        seconds = float(rng.choice(np.array(self.seconds))) / self.faster
        seconds *= SLOWER if rng.random() < STRAGGLERS else 1.0
        return float(rng.random()) * seconds + RESTART if rng.random() < FAILURES else 0.0, seconds


@dataclass
class Simulated(Workers):
    """Workers in virtual time: a heap of what ends when.

    Args:
        count: how many.
        times: what cohorts take.
        driver: times the driver's processor seconds: 1 for this machine, 0 for a driver that takes no time.

    Attributes:
        now: virtual seconds since the beginning.
        driving: those of them that the driver took.
        trained: begin and end of each training that ended well.
    """

    count: int
    times: Times
    driver: float = 1.0
    now: float = 0.0
    driving: float = 0.0
    trained: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = np.random.Generator(np.random.PCG64(0))
        self._free = [0.0] * self.count
        self._ends: list[tuple[float, int, CohortRequest]] = []
        self._since = time.thread_time()

    def submit(self, number: int, request: Request) -> None:
        assert isinstance(request, CohortRequest)
        self._pass()
        lost, seconds = self.times.draw(self._rng)
        begun = max(self.now, heapq.heappop(self._free)) + lost
        self.trained.append((begun, begun + seconds))
        heapq.heappush(self._free, begun + seconds)
        heapq.heappush(self._ends, (begun + seconds, number, request))
        self._since = time.thread_time()

    def next(self) -> Finished | None:
        self._pass()
        end, number, request = heapq.heappop(self._ends)
        self.now = max(self.now, end)
        result = CohortResult(
            candidates=tuple(row(text, request) for text in request.expressions),
            controls={name: row(text, request) for name, text in CONTROLS.items()},
            nulls=tuple(row("relu(x)", request) for _ in range(request.nulls)),
            seconds=dict.fromkeys(request.tasks, 0.0),
        )
        self._since = time.thread_time()
        return number, result

    def close(self) -> None:
        self._ends.clear()

    def _pass(self) -> None:
        """The driver has worked since it was last here."""
        taken = self.driver * (time.thread_time() - self._since)
        self.driving += taken
        self.now += taken


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of a simulated job, from when what was proposed at the start is told to its last submission.

    Args:
        classes: a second of virtual time.
        busy: the share of the workers' time in which they trained what counted.
        driving: the share of the time in which the driver was at work.
    """

    classes: float
    busy: float
    driving: float


@dataclass(frozen=True, slots=True)
class Setting:
    """A simulated job.

    Args:
        workers: their number.
        lag: cohorts that are proposed ahead of the results.
        size: candidates of a cohort.
        cohorts: of the job.
        driver: see :class:`Simulated`.
        files: the run has its files; else the store is in memory, which takes half the time.
    """

    workers: int
    lag: int
    size: int
    cohorts: int
    driver: float = 1.0
    files: bool = True

    @property
    def config(self) -> Config:
        return checked(
            {
                "budget": self.size * self.cohorts,
                "strategy": "evolution",
                "cohorts": {"size": self.size, "lag": self.lag},
                "training": {"seeds": 1, "steps": 100, "rungs": [25, 50]},
                "confirmation": {"finalists": 0},
            },
            "workers.py",
        )


def simulated(setting: Setting, times: Times) -> Outcome:
    """The real loop, with its files in a temporary folder."""
    config = setting.config
    pool = Simulated(setting.workers, times, setting.driver)
    marks: list[tuple[float, float]] = []
    with TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        run.cohorts.mkdir(parents=True)
        store = open_store(run, print, config.scoring) if setting.files else MemoryStore()
        study = Study(store, config.scoring)

        def note(_: Progress) -> None:
            if setting.files:
                write_front_csv(run, study, config.tasks)
            marks.append((pool.now, pool.driving))

        search(config, Recorder(study, config), pool, note, folder=run if setting.files else None)
    return outcome(pool, marks, setting)


def outcome(pool: Simulated, marks: Sequence[tuple[float, float]], setting: Setting) -> Outcome:
    """What the job came to once what was proposed at the start is told, until work runs out."""
    last = len(marks) - setting.lag - 2
    first = min(setting.lag + 1, 3 * last // 4)
    (begin, before), (end, after) = marks[first], marks[last]
    trained = np.clip(np.array(pool.trained), begin, end)
    return Outcome(
        classes=setting.size * (last - first) / (end - begin),
        busy=float((trained[:, 1] - trained[:, 0]).sum()) / (setting.workers * (end - begin)),
        driving=(after - before) / (end - begin),
    )


def lags_of(workers: int, ratios: Sequence[float]) -> list[int]:
    """So many cohorts for each worker: those of the workers, and those that wait, less one."""
    return [max(0, round(ratio * workers) - 1) for ratio in ratios]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--ratios", type=float, nargs="+", default=[1.0, 1.5, 2.0, 3.0], help="cohorts for a worker")
    parser.add_argument("--faster", type=float, nargs="+", default=[1.0], help="the measured times over this")
    parser.add_argument("--waves", type=float, default=6.0, help="cohorts of the job for each cohort under way")
    parser.add_argument("--size", type=int, default=24)
    parser.add_argument("--driver", type=float, default=1.0, help="times the driver's seconds; 0: what order costs")
    parser.add_argument("--memory", action="store_true", help="no files: enough for what order costs")
    given = parser.parse_args()
    torch.set_num_threads(1)
    measured = [float(line) for line in MEASURED.read_text().split()]
    table = Table("workers", "s a cohort", "lag", "classes/s", "workers busy", "driver busy")
    for workers, faster in product(given.workers, given.faster):
        for lag in lags_of(workers, given.ratios):
            setting = Setting(
                workers, lag, given.size, max(60, int(given.waves * (lag + 1))), given.driver, not given.memory
            )
            found = simulated(setting, Times(measured, faster))
            cells = f"{np.mean(measured) / faster:.2f}", f"{lag}", f"{found.classes:.0f}"
            table.add_row(f"{workers:,}", *cells, f"{found.busy:.0%}", f"{found.driving:.0%}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
