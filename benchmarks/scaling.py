"""Classes per minute of one job with one worker and with more, each in turn.

The quickstart job on `digits` alone with the task's own 3 learning rates, 3 seeds and 200 steps, so that training
binds. Nothing is confirmed. The clock runs from the start of the first cohort's training to the end of the last's;
Ray's start, the same in each, is left out. Each round takes every number of workers, in turned order.

    python benchmarks/scaling.py --workers 1 2
"""

from __future__ import annotations

import argparse
import os
import statistics

from job_vs_pool import run_job, seconds_of_cohorts  # type: ignore[import-not-found]  # beside this script

CHANGES = [
    "tasks=[digits]", "training.seeds=3", "training.steps=200", "training.rungs=[12,25,50,100]",
    "training.learning_rates=[0.001,0.003,0.01]", "rejection.audit=1",
]  # fmt: skip


def rate(workers: int, budget: int) -> float:
    """Classes per minute."""
    lag = f"cohorts.lag={max(1, workers - 1)}"
    _, records, _ = run_job(budget, [*CHANGES, f"workers.count={workers}", lag])
    return 60 * sum(len(record.plan.proposals) for record in records) / seconds_of_cohorts(records)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--budget", type=int, default=136)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.1f} before the first round", flush=True)
    found: dict[int, list[float]] = {count: [] for count in arguments.workers}
    for number in range(arguments.rounds):
        for count in arguments.workers[:: -1 if number % 2 else 1]:
            found[count].append(rate(count, arguments.budget))
    first = found[arguments.workers[0]]
    for count, rates in found.items():
        ratios = [rate / base for rate, base in zip(rates, first, strict=True)]
        print(
            f"{count} workers: {statistics.median(rates):.0f} classes/min, "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) times {arguments.workers[0]}"
        )


if __name__ == "__main__":
    main()
