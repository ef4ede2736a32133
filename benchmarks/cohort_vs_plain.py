"""A cohort in one stack against the same models trained one at a time.

The cohort: up to 11 formulas x 2 seeds x 3 learning rates, trained in lockstep by
``evaluators.training.stacking.stack.Stack`` in stacks of the probed width. The other sides train each of the models by
itself, as a user would: an ordinary module, ``torch.optim.Adam`` in its fused form, the activation in ordinary torch
operators (``plain``) or as an autograd function (``fused``). All sides take the same steps on the same data from the
same weights, in one thread; rounds are interleaved, models are built outside the clock.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Protocol

import torch

from evaluators.machine.width import probe_width
from evaluators.tasks import task
from evaluators.tasks.base import Task
from evaluators.training.initialisation import normalised
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.layers.activation import Activation
from primitives.layers.replacing import replace

FORMULAS = (
    "relu(x)", "gelu(x)", "silu(x)", "tanh(x)", "elu(x)", "mish(x)", "x*sigmoid(beta*x); beta=1.0", "sin(x)+x",
    "x*tanh(exp(x))", "max(x,tanh(x))", "log1p(x**2)",
)  # fmt: skip
SEEDS = (1, 2)
RATES = (1e-3, 3e-3, 1e-2)
#: task, batch size, number of formulas, steps as a share of those asked for
SETTINGS = (
    ("digits", 64, 11, 1.0), ("digits", 128, 11, 1.0), ("digits-10x32", 64, 11, 1.0), ("digits-10x32", 128, 11, 1.0),
    ("digits-deep", 64, 6, 0.5), ("digits-cnn", 64, 4, 0.5), ("image-inr", 0, 4, 0.5), ("bytes-lm", 0, 4, 0.25),
)  # fmt: skip
WARM_UP = 5  # steps of every side before its clock starts


class Trainer(Protocol):
    """A stack or a plain model."""

    def advance(self, steps: int, /) -> object:
        """Train up to a step number."""


def stacked(
    chosen: Task, steps: int, formulas: Sequence[str], width: int, kind: type[Stack] = Stack
) -> list[Trainer]:  # fmt: skip
    """Stacks of a kind and width that hold all models."""
    each = max(1, width // (len(SEEDS) * len(RATES)))
    groups = [formulas[start : start + each] for start in range(0, len(formulas), each)]
    members = [[CohortMember(parse(text), SEEDS) for text in group] for group in groups]
    return [kind(chosen, "search", group, Schedule(steps, (), RATES)) for group in members]


def plain_model(chosen: Task, expression: Expression, seed: int, rate: float, steps: int) -> PlainModel:
    """One model whose activation is ordinary torch operators."""
    model = PlainModel(chosen, "search", expression, seed=seed, rate=rate, steps=steps)
    replace(model.network, Activation, lambda: Activation(normalised(expression), plain=True))
    model.optimiser = torch.optim.Adam(model.network.parameters(), lr=rate, fused=True)
    return model


def fused_model(chosen: Task, expression: Expression, seed: int, rate: float, steps: int) -> PlainModel:
    """One model whose activation is an autograd function."""
    model = PlainModel(chosen, "search", expression, seed=seed, rate=rate, steps=steps)
    model.optimiser = torch.optim.Adam(model.network.parameters(), lr=rate, fused=True)
    return model


def alone(chosen: Task, steps: int, formulas: Sequence[str], *, fused: bool) -> list[Trainer]:
    """The models of the cohort one by one."""
    make = fused_model if fused else plain_model
    return [make(chosen, parse(text), seed, rate, steps) for text in formulas for seed in SEEDS for rate in RATES]


def seconds(trainers: Sequence[Trainer], steps: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of a clock for ``steps`` steps of every trainer, one after the other."""
    for trainer in trainers:
        trainer.advance(WARM_UP)
    started = clock()
    for trainer in trainers:
        trainer.advance(WARM_UP + steps)
    return clock() - started


def compare(name: str, batch_size: int, formulas: Sequence[str], steps: int, rounds: int) -> None:
    """Print times per step of the whole cohort and their ratios for one network and batch size."""
    chosen = task(name)
    chosen.batch_size = batch_size or chosen.batch_size
    total, width = WARM_UP + steps, probe_width(chosen)
    times: dict[str, list[float]] = {"stack": [], "plain": [], "fused": []}
    for _ in range(rounds):
        times["stack"].append(seconds(stacked(chosen, total, formulas, width), steps) / steps)
        times["plain"].append(seconds(alone(chosen, total, formulas, fused=False), steps) / steps)
        times["fused"].append(seconds(alone(chosen, total, formulas, fused=True), steps) / steps)
    models = len(formulas) * len(SEEDS) * len(RATES)
    line = f"{name:<14}{chosen.batch_size:>6}{models:>7}{width:>6}{1e3 * median(times['stack']):>10.2f}"
    for side in ("plain", "fused"):
        ratios = [plain / stack for plain, stack in zip(times[side], times["stack"], strict=True)]
        middle = median(times[side]) / median(times["stack"])
        line += f"{1e3 * median(times[side]):>10.2f}{middle:>8.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds, at least 3")
    parser.add_argument("--steps", type=int, default=40, help="timed steps of every model and round")
    parser.add_argument("--tasks", nargs="*", default=(), help="only these")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("ms for one step of all models; ratio to the stack: of medians (smallest to largest of a round)")
    print(
        f"{'task':<14}{'batch':>6}{'models':>7}{'width':>6}{'stack':>10}{'plain':>10}{'ratio':>8}{'':<15}{'fused':>10}{'ratio':>8}"
    )
    for name, batch_size, formulas, share in SETTINGS:
        if not arguments.tasks or name in arguments.tasks:
            compare(name, batch_size, FORMULAS[:formulas], round(share * arguments.steps), max(3, arguments.rounds))


if __name__ == "__main__":
    main()
