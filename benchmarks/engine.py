"""The native engine against torch's stack, against models trained one at a time, and against its own products.

A cohort of formulas x 2 seeds x 3 learning rates. Sides: the engine; the same cohort in torch's stacks; each model by
itself as a user would write it, the faster of ordinary torch operators (``plain``) and an autograd function
(``fused``); and the bare calls of the engine's BLAS that a step makes, slice after slice, in C, nothing between. All in
one thread, on the same data from the same weights; rounds are interleaved, models are built outside the clock, seconds
are the thread's CPU seconds.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch

from benchmarks.cohort_vs_plain import FORMULAS, RATES, SEEDS, WARM_UP, Trainer, alone, seconds, stacked
from evaluators.machine.threads import one_thread
from evaluators.machine.width import probe_width
from evaluators.native.blas import blas
from evaluators.tasks import task
from evaluators.tasks.base import Task
from evaluators.training.chains.chain import Kind
from evaluators.training.chains.chains import chain_of
from evaluators.training.chains.native_stack import NativeStack

#: task, number of formulas, steps as a share of those asked for
SETTINGS = (
    ("digits", 11, 1.0), ("digits-10x32", 11, 1.0), ("digits-deep", 6, 0.5), ("mnist1d-mlp", 3, 0.5),
    ("image-inr", 3, 1.0), ("tabular-diabetes", 4, 1.0),
)  # fmt: skip

#: Products of a step: forward, then back to the weight and, but for the first layer, to the input.
SOURCE = """
#include <stdint.h>
typedef void Gemm(const char *, const char *, const int *, const int *, const int *, const float *, const float *,
                  const int *, const float *, const int *, const float *, float *, const int *);
void products(Gemm *gemm, const int *layers, int count, int batch, int64_t steps, float **w, float **dw, float **x,
              float **dx) {
    const float one = 1, zero = 0;
    for (int64_t step = 0; step < steps; step++) {
        for (int l = 0; l < count; l++) {
            const int *in = layers + 2 * l, *out = in + 1;
            gemm("T", "N", out, &batch, in, &one, w[l], in, x[l], in, &zero, x[l + 1], out);
        }
        for (int l = count - 1; l >= 0; l--) {
            const int *in = layers + 2 * l, *out = in + 1;
            gemm("N", "T", in, out, &batch, &one, x[l], in, dx[l + 1], out, &zero, dw[l], in);
            if (l) gemm("N", "N", in, &batch, out, &one, w[l], in, dx[l + 1], out, &zero, dx[l], in);
        }
    }
}
"""


class Products:
    """The bare products of all slices of a cohort."""

    def __init__(self, chosen: Task, library: ctypes.CDLL, slices: int) -> None:
        chain = chain_of(chosen, "search", current=False).chain
        linear = [step for step in chain.steps if step.kind == Kind.LINEAR]
        self.layers = [(step.inputs, step.outputs) for step in linear]
        self.batch = chosen.batch_size * linear[0].rows
        sizes = [self.layers[0][0], *(out for _, out in self.layers)]
        shapes = [[i * o for i, o in self.layers]] * 2 + [[self.batch * size for size in sizes]] * 2
        self.buffers = [[[_aligned(size) for size in row] for row in shapes] for _ in range(slices)]
        self.library, self.taken = library, 0

    def advance(self, steps: int, /) -> None:
        layers = (ctypes.c_int * (2 * len(self.layers)))(*(size for layer in self.layers for size in layer))
        address = ctypes.c_void_p(blas(False).address)
        with one_thread():
            for of_slice in self.buffers:
                rows = [(ctypes.c_void_p * len(row))(*(each.data_ptr() for each in row)) for row in of_slice]
                count = ctypes.c_int64(steps - self.taken)
                self.library.products(address, layers, len(self.layers), self.batch, count, *rows)
        self.taken = steps


def _aligned(size: int) -> torch.Tensor:
    room = torch.randn(size + 16)
    start = -(room.data_ptr() // 4) % 16
    return room[start : start + size]


def built(folder: Path) -> ctypes.CDLL:
    """The bare products as a library."""
    source, target = folder / "products.c", folder / "products.so"
    source.write_text(SOURCE, encoding="utf-8")
    subprocess.run(["cc", "-O2", "-fPIC", "-shared", str(source), "-o", str(target)], check=True)
    return ctypes.CDLL(str(target))


def compare(name: str, formulas: Sequence[str], steps: int, rounds: int, library: ctypes.CDLL) -> None:
    """Print the times of one task and their ratios to the engine's."""
    chosen = task(name)
    total, width, slices = WARM_UP + steps, probe_width(chosen), len(formulas) * len(SEEDS) * len(RATES)
    sides: dict[str, Callable[[], list[Trainer]]] = {
        "engine": lambda: stacked(chosen, total, formulas, width, NativeStack),
        "stack": lambda: stacked(chosen, total, formulas, width),
        "plain": lambda: alone(chosen, total, formulas, fused=False),
        "fused": lambda: alone(chosen, total, formulas, fused=True),
        "products": lambda: [Products(chosen, library, slices)],
    }
    times: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, make in sides.items():
            times[side].append(seconds(make(), steps, time.thread_time) / steps / slices)
    line = f"{name:<17}{slices:>6}{1e6 * median(times['engine']):>9.1f}"
    for side in ("stack", "plain", "fused"):
        line += _ratio(times[side], times["engine"])
    print(line + _ratio(times["engine"], times["products"]), flush=True)


def _ratio(above: Sequence[float], below: Sequence[float]) -> str:
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return f"{median(ratios):>7.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds, at least 3")
    parser.add_argument("--steps", type=int, default=100, help="timed steps of every model and round")
    parser.add_argument("--tasks", nargs="*", default=(), help="only these")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"products by {blas(False).name}; microseconds of a step of one model; ratios: median (smallest to largest)")
    print(f"{'task':<17}{'models':>6}{'engine':>9}{'stack/engine':>22}{'plain/engine':>22}{'fused/engine':>22}", end="")
    print(f"{'engine/products':>22}")
    with tempfile.TemporaryDirectory() as folder:
        library = built(Path(folder))
        for name, formulas, share in SETTINGS:
            if not arguments.tasks or name in arguments.tasks:
                steps = round(share * arguments.steps)
                compare(name, FORMULAS[:formulas], steps, max(3, arguments.rounds), library)


if __name__ == "__main__":
    main()
