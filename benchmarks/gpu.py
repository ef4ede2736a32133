"""Many models at once on a GPU with one model at a time; and how many kernels a step launches, which needs no GPU.

Sides: the cohort by the kernels of ``evaluators/gpu`` and a graph of the step, by the kernels alone, by torch's kernels
for each candidate; one model of it in plain torch. Each in float32 and with autocast to bfloat16. A side's step is the
median of rounds; the GPU is waited for at both ends of a round.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.cohort_vs_plain import FORMULAS
from evaluators.gpu.usable import has_triton
from evaluators.machine.backend import Backend
from evaluators.tasks import task
from evaluators.tasks.base import Task
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from primitives.catalogue import catalogue
from primitives.expression.parsing import parse

RATES = (3e-4, 1e-3, 3e-3)
#: Names of torch's operators that launch nothing: views, and new memory.
FREE = (
    *("view", "empty", "detach", "slice", "split", "expand", "as_strided", "set_", "select", "unsqueeze", "squeeze"),
    *("alias", "permute", "transpose", "t.default", "unbind", "_reshape_alias", "_unsafe_view", "new_empty"),
    "promote_types",
)


class Launches(TorchDispatchMode):
    """Counts what launches a kernel on a GPU, about: torch's operators but for the free ones, each once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(function).removeprefix("aten.")
        self.count += not name.startswith(FREE)
        return function(*args, **(kwargs or {}))


class FakeKernel:
    """Counts its launches and computes nothing."""

    def __init__(self) -> None:
        self.count = 0

    def __getitem__(self, grid: object) -> Callable[..., None]:
        return self.launch

    def launch(self, *args: object, **options: object) -> None:
        self.count += 1


def members(candidates: int) -> list[CohortMember]:
    """Of the benchmark's formulas and, beyond those, of the catalogue's that are functions of one number."""
    known = [entry.expression for entry in catalogue() if entry.expression.is_pointwise]
    chosen = [*map(parse, FORMULAS), *(f for f in known if "bessel" not in f.text)]
    return [CohortMember(f, (1, 2)) for f in chosen[:candidates]]


def stack(chosen: Task, candidates: int, backend: Backend) -> Stack:
    """With two seeds and three rates."""
    return Stack(chosen, "search", members(candidates), Schedule(10_000, (), RATES), backend=backend)


def launched(chosen: Task, candidates: int, *, kernels: bool) -> int:
    """By a step, counted on the CPU with kernels that compute nothing."""
    fake = FakeKernel()
    with ExitStack() as patches:
        patches.enter_context(patch("evaluators.training.stacking.pointwise_shares.usable", lambda x: None))
        patches.enter_context(patch("evaluators.training.optimiser.engine_for", lambda *tensors: None))
        patches.enter_context(patch("evaluators.training.stacking.convolution.at_once", len))
        for place in ("usable", "optimisers"):
            patches.enter_context(patch(f"evaluators.gpu.{place}.is_on_gpu", lambda x: kernels))
        if kernels:
            for place in ("formulas.formulas", "formulas.sums", "descent.descent"):
                patches.enter_context(patch(f"evaluators.gpu.{place}", fake))
        trained = stack(chosen, candidates, Backend())
        trained.advance(1)  # tables go to the device once
        fake.count = 0
        with Launches() as calls:
            trained.advance(2)
    return calls.count + fake.count


def count(names: list[str]) -> None:
    print(f"{'task':<14}{'candidates':>11}{'models':>8}{'by torch':>10}{'by kernels':>12}")
    for name in names:
        for candidates in (6, 12, 35, 71):
            sides = [launched(task(name), candidates, kernels=kernels) for kernels in (False, True)]
            print(f"{name:<14}{candidates:>11}{6 * candidates:>8}{sides[0]:>10}{sides[1]:>12}", flush=True)


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Without the graph, or the kernels, or both."""
    with ExitStack() as patches:
        for name in names:
            patches.enter_context(patch(name, lambda *args: False))
        yield


GRAPH, KERNELS = "evaluators.training.stacking.stack.repeats", "evaluators.gpu.usable.has_triton"
OPTIMISER = "evaluators.gpu.optimisers.has_triton"
SIDES = {"kernels and graph": (), "kernels": (GRAPH,), "torch": (GRAPH, KERNELS, OPTIMISER)}


def seconds(trained: Stack | PlainModel, first: int, steps: int) -> float:
    """Of one of the next steps; what is compiled and recorded is so before."""
    trained.advance(first)
    torch.cuda.synchronize()
    start = time.perf_counter()
    trained.advance(first + steps)
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / steps


def measure(name: str, candidates: int, steps: int, rounds: int) -> None:
    """Print a row for each side and type."""
    chosen = task(name)
    for autocast in (None, torch.bfloat16):
        backend = Backend(device="cuda", autocast=autocast)
        kind = "float32" if autocast is None else "bfloat16"
        expression = members(1)[0].expression
        assert expression is not None
        lone = PlainModel(chosen, "search", expression, seed=1, rate=1e-3, steps=10_000, backend=backend)
        one = median([seconds(lone, 20 + 2 * k * steps, steps) for k in range(rounds)])
        print(f"{name}, {kind}: one model {1e3 * one:.3f} ms a step", flush=True)
        for side, names in SIDES.items():
            with without(*names):
                own = stack(chosen, candidates, backend)
                # a rung of its own for each round: it records its graph anew, and that counts
                all_of = median([seconds(own, 20 + 2 * k * steps, steps) for k in range(rounds)])
            models = own.width
            print(
                f"    {models} models by {side}: {1e3 * all_of:.3f} ms a step, {models * one / all_of:.0f} times one"
                f" model at a time, {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=["digits", "digits-5x256"])
    parser.add_argument("--launches", action="store_true", help="count the launches of a step; needs no GPU")
    parser.add_argument("--candidates", type=int, default=84, help="of 6 models each")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.launches:
        count(given.tasks)
    elif not torch.cuda.is_available():
        print("no GPU here: nothing is measured; --launches counts launches without one")
    elif not has_triton():
        print("no Triton here, or ACTSEARCH_ENGINE=torch: there are no kernels to measure")
    else:
        for each in given.tasks:
            measure(each, given.candidates, given.steps, given.rounds)
