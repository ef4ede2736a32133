"""How rounding grows in the ViT of ``vit_settings.py``: training losses beside the plain loop's, relative differences.

In float64, ReLU, one seed, the largest of each twenty steps: of a plain loop that begins with biases 1e-15 away, of one
model by actsearch, and of a stack.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from benchmarks.vit_plain_loop import trained
from benchmarks.vit_settings import RATES, Vit
from evaluators.machine.backend import Backend
from evaluators.seeds import derive
from evaluators.tasks.base import batches, split
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from primitives import parse

SEED, STEPS, EACH = derive(0, "vit", 0), 200, 20
RELU, DOUBLE = "relu(x)", Backend(dtype=torch.float64)


def ways(rate: float) -> dict[str, list[float]]:
    """The losses of all steps; the plain loop's first."""
    task = Vit("own", "none")
    images, labels = task.data("search")
    order = batches(split(len(labels), "search", SEED).train, STEPS, task.batch_size, SEED)
    by_hand, nudged = (
        trained(images.double(), labels, order, name=RELU, seed=derive(SEED, "modules"), rate=rate, nudge=nudge)[1]
        for nudge in (0.0, 1e-15)
    )
    one = PlainModel(task, "search", parse(RELU), seed=SEED, rate=rate, steps=STEPS, backend=DOUBLE)
    stack = Stack(task, "search", [CohortMember(parse(RELU), (SEED,))], Schedule(STEPS, (), (rate,)), backend=DOUBLE)
    return {
        "plain loop": by_hand,
        "nudged by 1e-15": nudged,
        "one model": one.advance(STEPS),
        "stack": stack.advance(STEPS)[:, 0].tolist(),
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    print(f"rate   {'':<16}" + "".join(f"{step:>7}" for step in range(EACH, STEPS + 1, EACH)))
    for rate in RATES:
        first, *others = ways(rate).items()
        expected = np.array(first[1])
        for name, losses in others:
            apart = (np.abs(np.array(losses) - expected) / expected).reshape(-1, EACH).max(axis=1)
            print(f"{rate:<7g}{name:<16}" + "".join(f"{value:>7.0e}" for value in apart), flush=True)


if __name__ == "__main__":
    main()
