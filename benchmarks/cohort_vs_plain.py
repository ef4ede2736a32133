"""A cohort in one stack against the same models trained one at a time.

The cohort: 11 formulas x 2 seeds x 3 learning rates, 66 models, trained in lockstep by ``evaluators.stack.Stack``.
The other sides train each of the 66 models by itself, as a user would: an ordinary module, ``torch.optim.Adam`` with
its defaults, the activation in ordinary torch operators (``plain``) or as an autograd function (``fused``). All sides
take the same steps on the same data from the same weights, in one thread; rounds are interleaved, models are built
outside the clock.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from statistics import median
from typing import Protocol

import torch

from evaluators.initialisation import normalised
from evaluators.member import Member, Schedule
from evaluators.plain import PlainModel
from evaluators.stack import Stack
from evaluators.task import Task
from evaluators.tasks import task
from primitives.activation import Activation, replace
from primitives.expressions import Expression
from primitives.text import parse

FORMULAS = (
    "relu(x)", "gelu(x)", "silu(x)", "tanh(x)", "elu(x)", "mish(x)", "x*sigmoid(beta*x); beta=1.0", "sin(x)+x",
    "x*tanh(exp(x))", "max(x,tanh(x))", "log1p(x**2)",
)  # fmt: skip
SEEDS = (1, 2)
RATES = (1e-3, 3e-3, 1e-2)
SETTINGS = (("digits", 64), ("digits", 128), ("digits-10x32", 64), ("digits-10x32", 128))
WARM_UP = 5  # steps of every side before its clock starts


class Trainer(Protocol):
    """A stack or a plain model."""

    def advance(self, steps: int, /) -> object:
        """Train up to a step number."""


def stacked(chosen: Task, steps: int) -> list[Trainer]:
    """One stack of all models."""
    members = [Member(parse(text), SEEDS) for text in FORMULAS]
    return [Stack(chosen, "search", members, Schedule(steps, (), RATES))]


def plain_model(chosen: Task, expression: Expression, seed: int, rate: float, steps: int) -> PlainModel:
    """One model whose activation is ordinary torch operators."""
    model = PlainModel(chosen, "search", expression, seed=seed, rate=rate, steps=steps)
    replace(model.network, Activation, lambda: Activation(normalised(expression), plain=True))
    model.optimiser = torch.optim.Adam(model.network.parameters(), lr=rate)
    return model


def fused_model(chosen: Task, expression: Expression, seed: int, rate: float, steps: int) -> PlainModel:
    """One model whose activation is an autograd function."""
    return PlainModel(chosen, "search", expression, seed=seed, rate=rate, steps=steps)


def alone(chosen: Task, steps: int, *, fused: bool) -> list[Trainer]:
    """The models of the cohort one by one."""
    make = fused_model if fused else plain_model
    return [make(chosen, parse(text), seed, rate, steps) for text in FORMULAS for seed in SEEDS for rate in RATES]


def seconds(trainers: Sequence[Trainer], steps: int) -> float:
    """Time of ``steps`` steps of every trainer, one after the other."""
    for trainer in trainers:
        trainer.advance(WARM_UP)
    started = time.perf_counter()
    for trainer in trainers:
        trainer.advance(WARM_UP + steps)
    return time.perf_counter() - started


def compare(name: str, batch_size: int, steps: int, rounds: int) -> None:
    """Print times per step of the whole cohort and their ratios for one network and batch size."""
    chosen = task(name)
    chosen.batch_size = batch_size
    total = WARM_UP + steps
    times: dict[str, list[float]] = {"stack": [], "plain": [], "fused": []}
    for _ in range(rounds):
        times["stack"].append(seconds(stacked(chosen, total), steps) / steps)
        times["plain"].append(seconds(alone(chosen, total, fused=False), steps) / steps)
        times["fused"].append(seconds(alone(chosen, total, fused=True), steps) / steps)
    line = f"{name:<14}{batch_size:>6}{1e3 * median(times['stack']):>10.2f}"
    for side in ("plain", "fused"):
        ratios = [own / stack for own, stack in zip(times[side], times["stack"], strict=True)]
        middle = median(times[side]) / median(times["stack"])
        line += f"{1e3 * median(times[side]):>10.2f}{middle:>8.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds, at least 5")
    parser.add_argument("--steps", type=int, default=40, help="timed steps of every model and round")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("ms for one step of all 66 models; ratio to the stack: of medians (smallest to largest of a round)")
    print(f"{'task':<14}{'batch':>6}{'stack':>10}{'plain':>10}{'ratio':>8}{'':<15}{'fused':>10}{'ratio':>8}")
    for name, batch_size in SETTINGS:
        compare(name, batch_size, arguments.steps, max(5, arguments.rounds))


if __name__ == "__main__":
    main()
