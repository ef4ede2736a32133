"""Memory of a large cohort: 256 candidates x 3 learning rates x 4 seeds on digits, all stacks at once.

Prints the largest resident size of this process before and after training, and what the weights and Adam's two
moments alone would take.
"""

from __future__ import annotations

import argparse
import resource

import numpy as np
import torch

from evaluators.rejection.screens import screen
from evaluators.tasks import task
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.train import WIDTH, train
from primitives import grammar, parse

RATES, SEEDS = (1e-3, 3e-3, 1e-2), (1, 2, 3, 4)


def resident() -> float:
    """Largest resident size so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=256)
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    space, rng, members = (
        grammar("default"),
        np.random.Generator(np.random.PCG64(0)),
        [CohortMember(parse("relu(x)"), SEEDS)],
    )
    while len(members) < arguments.candidates:
        expression = space.sample(rng)
        members += [] if screen(expression) else [CohortMember(expression, SEEDS)]
    chosen = task("digits")
    before = resident()
    train(chosen, "search", members, Schedule(arguments.steps, (arguments.steps // 2,), RATES), WIDTH)
    slices = len(members) * len(RATES) * len(SEEDS)
    weights = sum(p.numel() for p in chosen.network().parameters())
    print(f"{slices} models of {weights} weights; weights and moments alone: {slices * weights * 12 / 2**30:.2f} GB")
    print(
        f"largest resident size: {before:.2f} GB before, {resident():.2f} GB after, {resident() - before:.2f} GB more"
    )


if __name__ == "__main__":
    main()
