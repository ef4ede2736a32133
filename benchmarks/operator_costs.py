"""Forward time of each operator against ReLU's: the numbers of the column ``cost`` in
``primitives/operators/table.py``.

Each operator is called as an expression calls it, on float32 inputs that stay in cache, in one thread. In every
repetition each operator is timed once and ReLU before it, so that slow moments of the machine hit both.

Statistics are taken of inputs of 32 examples, 64 channels and 8 x 8 positions, and so is ReLU beside them. Their number
is a third of the time of value and gradient, for ``evaluators/objectives/formula/cost.py`` counts each operator of a
layer three times: torch's variance is 100 ReLUs forward, and little more with its gradient.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from primitives.operators.axes import usual_axes
from primitives.operators.kernels import COMPARISONS
from primitives.operators.operator import Operator
from primitives.operators.table import forward_of, operators

ELEMENTS = 65_536
SHAPE = (32, 64, 8, 8)  # of the inputs of statistics
CALLS = 40  # in one timing: 0.2 ms for the cheapest operator, far above the clock's resolution


def inputs_of(row: Operator) -> list[Tensor]:
    """Normal inputs, or 0.1 + |normal| where the operator is not finite on normals.

    A condition is 0 or 1 by chance; a comparison is with a constant, as in a derivative of ReLU.
    """
    generator = torch.Generator().manual_seed(0)
    normals = [torch.randn(ELEMENTS, generator=generator) for _ in range(row.arity)]
    if row.reduces:
        return [torch.randn(SHAPE, generator=generator)]
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


def measure(repetitions: int, *, statistics: bool = False) -> dict[str, float]:
    """Median over the repetitions of each operator's time divided by ReLU's just before it."""
    table = {name: row for name, row in operators().items() if row.forward and (row.reduces or not statistics)}
    inputs = {name: inputs_of(row) for name, row in table.items()}
    calls = {name: _call(row) for name, row in table.items()}
    relu = forward_of("relu")
    beside = {name: inputs[name] if row.reduces else inputs_of(operators()["relu"]) for name, row in table.items()}
    ratios: dict[str, list[float]] = {name: [] for name in table}
    for repetition in range(repetitions + 1):
        for name in table:
            reference = seconds(relu, beside[name])
            taken = seconds(calls[name], inputs[name])
            if repetition > 0:  # the first one warms up
                ratios[name].append(taken / reference / (3 if table[name].reduces else 1))
    return {name: median(values) for name, values in ratios.items()}


def _call(row: Operator) -> Callable[..., Tensor]:
    forward = forward_of(row.name)
    if not row.reduces:
        return forward
    axes = usual_axes(len(SHAPE))

    def value_and_gradient(a: Tensor) -> Tensor:
        x = a.detach().requires_grad_()
        value = forward(x, axes)
        return torch.autograd.grad(value, x, torch.ones_like(value))[0]

    return value_and_gradient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=25, help="interleaved repetitions, at least 15")
    parser.add_argument("--statistics", action="store_true", help="of statistics alone")
    given = parser.parse_args()
    repetitions = max(15, given.repetitions)
    torch.set_num_threads(1)
    table = {name: row for name, row in operators().items() if row.forward is not None}
    print(f"{'operator':<14}{'table':>8}{'measured':>10}")
    for name, ratio in measure(repetitions, statistics=given.statistics).items():
        print(f"{name:<14}{table[name].cost:>8.1f}{ratio:>10.2f}")


if __name__ == "__main__":
    main()
