"""Forward time of each operator against ReLU's: the numbers of the column ``cost`` in
``primitives/operators/table.py``.

Each operator is called as an expression calls it, on float32 inputs that stay in cache, in one thread. In every
repetition each operator is timed once and ReLU before it, so that slow moments of the machine hit both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from primitives.operators.kernels import COMPARISONS
from primitives.operators.table import Operator, forward_of, operators

ELEMENTS = 65_536
CALLS = 40  # in one timing: 0.2 ms for the cheapest operator, far above the clock's resolution


def inputs_of(row: Operator) -> list[Tensor]:
    """Normal inputs, or 0.1 + |normal| where the operator is not finite on normals.

    A condition is 0 or 1 by chance; a comparison is with a constant, as in a derivative of ReLU.
    """
    generator = torch.Generator().manual_seed(0)
    normals = [torch.randn(ELEMENTS, generator=generator) for _ in range(row.arity)]
    if row.name == "where":
        return [(normals[0] > 0).to(torch.float32), *normals[1:]]
    if row.name in COMPARISONS:
        return [normals[0], torch.tensor(0.0)]
    if torch.isfinite(forward_of(row.name)(*normals)).all():
        return normals
    return [normal.abs() + 0.1 for normal in normals]


def seconds(call: Callable[..., Tensor], inputs: list[Tensor]) -> float:
    """Time of ``CALLS`` calls, after one that fills the cache."""
    call(*inputs)
    started = time.perf_counter()
    for _ in range(CALLS):
        call(*inputs)
    return time.perf_counter() - started


def measure(repetitions: int) -> dict[str, float]:
    """Median over the repetitions of each operator's time divided by ReLU's just before it."""
    table = {name: row for name, row in operators().items() if row.forward is not None}
    inputs = {name: inputs_of(row) for name, row in table.items()}
    ratios: dict[str, list[float]] = {name: [] for name in table}
    for repetition in range(repetitions + 1):
        for name in table:
            reference = seconds(forward_of("relu"), inputs["relu"])
            taken = seconds(forward_of(name), inputs[name])
            if repetition > 0:  # the first one warms up
                ratios[name].append(taken / reference)
    return {name: median(values) for name, values in ratios.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=25, help="interleaved repetitions, at least 15")
    repetitions = max(15, parser.parse_args().repetitions)
    torch.set_num_threads(1)
    table = {name: row for name, row in operators().items() if row.forward is not None}
    print(f"{'operator':<14}{'table':>8}{'measured':>10}")
    for name, ratio in measure(repetitions).items():
        print(f"{name:<14}{table[name].cost:>8.1f}{ratio:>10.2f}")


if __name__ == "__main__":
    main()
