"""Record what cohorts of a real job take, for simulations: processor seconds of the training process, one a line.

The quickstart's job on `digits`, with its race and early rejection, trained in this process.

    OMP_NUM_THREADS=1 python benchmarks/data/record_seconds.py benchmarks/data/cohort-seconds.txt
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections import deque
from pathlib import Path

from evaluators.asked import Request
from evaluators.cohort import CohortRequest, run_cohort
from search.config import load_config
from search.engine.loop import search
from search.engine.recorder import Recorder
from search.engine.study import Study
from search.storage import MemoryStore
from search.workers import Finished, Workers


class Timed(Workers):
    """Trains in this process and writes what each cohort took."""

    def __init__(self, path: Path) -> None:
        self._queue: deque[tuple[int, CohortRequest]] = deque()
        self._path = path

    def submit(self, number: int, request: Request) -> None:
        assert isinstance(request, CohortRequest)
        self._queue.append((number, request))

    def next(self) -> Finished | None:
        number, request = self._queue.popleft()
        started = time.process_time()
        result = run_cohort(request)
        with self._path.open("a") as file:
            file.write(f"{time.process_time() - started:.3f}\n")
        return number, result

    def close(self) -> None:
        self._queue.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--cohorts", type=int, default=48)
    given = parser.parse_args()
    budget = f"budget={24 * given.cohorts}"
    config = load_config("quickstart", ["tasks=[digits]", "confirmation.finalists=0", budget])
    given.path.unlink(missing_ok=True)
    workers = Timed(given.path.absolute())
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        search(config, Recorder(Study(MemoryStore(), config.scoring), config), workers, lambda _: None)


if __name__ == "__main__":
    main()
