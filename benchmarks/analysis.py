"""Time of `analyse` for every function of the catalogue, in ms and against evaluating the function on the grid.

The function's derivatives and programs are made anew each time, as for a function that was never seen. Times are CPU
times of one thread, best of some repetitions; the grid are the 20,000 float64 points of the Gaussian moments.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from primitives.analysis import analyse, edge_of_chaos, moments
from primitives.analysis.gaussian import normal_grid
from primitives.catalogue import catalogue
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import compiled, value_at
from primitives.expression.expression import Expression


def milliseconds(call: Callable[[Expression], object], expression: Expression, repetitions: int) -> float:
    """Shortest of some calls, each without what is kept of earlier ones."""
    times = []
    for _ in range(repetitions):
        derivative.cache_clear()
        compiled.cache_clear()
        moments.cache_clear()
        started = time.process_time()
        call(expression)
        times.append(1e3 * (time.process_time() - started))
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    repetitions = parser.parse_args().repetitions
    torch.set_num_threads(1)
    z, _ = normal_grid()
    known = catalogue()
    for entry in known[:20]:  # the first calls fill caches that are shared
        analyse(entry.expression)
        edge_of_chaos(entry.expression, 0.2)
    grid = [milliseconds(lambda f: value_at(f, z), entry.expression, repetitions) for entry in known]
    calls: dict[str, Callable[[Expression], object]] = {
        "moments": moments,
        "analyse": analyse,
        "edge_of_chaos": lambda f: edge_of_chaos(f, 0.2),
    }
    print(f"{'':<16}{'median ms':>10}{'worst ms':>10}{'median/f(z)':>13}  slowest, over {len(known)} functions")
    print(f"{'f(z)':<16}{median(grid):>10.2f}{max(grid):>10.2f}{1.0:>13.1f}")
    for name, call in calls.items():
        found = [milliseconds(call, entry.expression, repetitions) for entry in known]
        ratio = median(ours / reference for ours, reference in zip(found, grid, strict=True))
        slowest = known[found.index(max(found))].name
        print(f"{name:<16}{median(found):>10.2f}{max(found):>10.2f}{ratio:>13.1f}  {slowest}")


if __name__ == "__main__":
    main()
