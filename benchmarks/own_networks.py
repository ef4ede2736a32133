"""What a user's own network pays and gains: the plain path against a loop by hand, a stack against one at a time.

First table: :class:`evaluators.training.plain.PlainModel`, which trains where no stack can, with an ordinary loop in
torch over the same network with the same ``Activation`` in its places, batches, rate and Adam. Second table: networks
whose activations are calls, with the same networks that have modules there. Third table: twelve models in one stack
with the same models one after the other. Rounds are interleaved, models are built outside the clock. Networks of
packages that are not installed are left out, and said.
"""

from __future__ import annotations

import argparse
import importlib
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from evaluators.tasks.base import Task, batches, split
from evaluators.tasks.examples import examples_of
from evaluators.training.calling import call
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.outputs import of_loss
from evaluators.training.plain import PlainModel
from evaluators.training.singles import Singles
from evaluators.training.stacking.stack import Stack
from evaluators.training.stacking.stackable import unstackable
from primitives.errors import ActsearchError
from primitives.expression.parsing import parse
from tests.evaluators_tests import own_networks, public_tasks

FORMULA = "x*sigmoid(beta*x); beta=1.0:channel"
#: Without a network's own dropout: by hand it would draw other numbers.
OWN = ("calls", "calls, as modules", "plain layers", "batch norm", "lstm", "checkpointed", "dict", "returns a dict")
#: Networks whose activations are calls, and the same with modules.
WITH_MODULES = {"calls": "calls, as modules", "torch encoder, by name": "torch encoder, module"}
MODELS, RATE = 12, 1e-3
WARM_UP = 5  # steps before the clock starts
QUARTILES = (25, 50, 75)

#: Trains up to a step.
Trainer = Callable[[int], object]


def tasks(wanted: Sequence[str]) -> dict[str, Task]:
    """Tasks by name, of the tests' own networks and of public ones whose packages are there."""
    found: dict[str, Task] = {kind: own_networks.OwnTask(kind) for kind in OWN}
    for kind, public in public_tasks.NETWORKS.items():
        if wanted and kind not in wanted:
            continue
        try:
            if public.package:
                importlib.import_module(public.package)
            found[kind] = public_tasks.public_task(kind)
        except (ImportError, RuntimeError) as error:
            print(f"left out: {kind}: {error}")
    return {kind: task for kind, task in found.items() if not wanted or kind in wanted}


def hand_loop(task: Task, steps: int) -> Trainer:
    """An ordinary loop over the network that the plain path trains, with the same functions in its places."""
    network = PlainModel(task, "search", parse(FORMULA), seed=1, rate=RATE, steps=steps).network
    examples = examples_of(task, "search")
    order = batches(split(len(examples), "search", 1).train, steps, task.batch_size, 1)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    taken: list[float] = []

    def advance(until: int) -> None:
        network.train()
        for index in order[len(taken) : until]:
            few = examples.rows(index)
            optimiser.zero_grad()
            output: Tensor = of_loss(task, call(network, few.inputs))
            loss = task.loss(output, few.targets).mean()
            loss.backward()
            optimiser.step()
            taken.append(loss.item())

    return advance


def seconds(advance: Trainer, until: int) -> float:
    """Processor time of the steps up to one, which company on the machine disturbs less; all is one thread."""
    started = time.process_time()
    advance(until)
    return time.process_time() - started


def ratios(
    one: Callable[[int], Trainer], other: Callable[[int], Trainer], steps: int, rounds: int
) -> tuple[list[float], float]:
    """Quartiles of the time of one over that of the other, and the median time of a step of the other, in ms.

    Both are built once, for all rounds. Who is first changes from round to round.
    """
    pair = [make(WARM_UP + rounds * steps) for make in (one, other)]
    for advance in pair:
        advance(WARM_UP)
    found, times = [], []
    for number in range(1, rounds + 1):
        taken = [0.0, 0.0]
        for side in (0, 1) if number % 2 else (1, 0):
            taken[side] = seconds(pair[side], WARM_UP + number * steps)
        found.append(taken[0] / taken[1])
        times.append(taken[1])
    return np.percentile(found, QUARTILES).tolist(), 1e3 * float(np.median(times)) / steps


def overhead(task: Task, steps: int, rounds: int) -> str:
    """The plain path's time over that of a loop by hand."""

    def plain(total: int) -> Trainer:
        return PlainModel(task, "search", parse(FORMULA), seed=1, rate=RATE, steps=total).advance

    (low, middle, high), each = ratios(plain, lambda total: hand_loop(task, total), steps, rounds)
    return f"{each:8.2f}{middle:8.3f} ({low:.3f} to {high:.3f})"


def call_overhead(task: Task, steps: int, rounds: int) -> str:
    """A network whose activations are calls over the same one with modules, with candidates there, by one loop."""
    other = tasks([WITH_MODULES[task.name]])[WITH_MODULES[task.name]]
    sides = (lambda total: hand_loop(task, total), lambda total: hand_loop(other, total))
    (low, middle, high), each = ratios(*sides, steps, rounds)
    return f"{each:8.2f}{middle:8.3f} ({low:.3f} to {high:.3f})"


def stack_gain(task: Task, steps: int, rounds: int) -> str:
    """Models a second in a stack over models a second one at a time, or why there is no stack."""
    reason = unstackable(task)
    if reason:
        return f"one at a time: {(reason.partition(': ')[2] or reason)[:90]}"
    member = [CohortMember(parse(FORMULA), tuple(range(MODELS)))]

    def built(kind: type[Stack] | type[Singles]) -> Callable[[int], Trainer]:
        return lambda total: kind(task, "search", member, Schedule(total, (), (RATE,))).advance

    (low, middle, high), each = ratios(built(Singles), built(Stack), steps, rounds)
    return f"{each / MODELS:8.2f}{middle:8.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=20, help="timed steps of every model and round")
    parser.add_argument("--only", nargs="*", default=(), help="names of networks")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    chosen = tasks(arguments.only)
    calls = {kind: task for kind, task in chosen.items() if kind in WITH_MODULES}
    for title, of, share, those in (
        (f"{'the plain path':<26}{'ms/step':>8}{'ratio':>8} (quartiles) to a loop by hand", overhead, 1.0, chosen),
        (f"{'calls':<26}{'ms/step':>8}{'ratio':>8} (quartiles) to modules in their places", call_overhead, 1.0, calls),
        (
            f"{f'a stack of {MODELS}':<26}{'ms/model':>8}{'gain':>8} (quartiles) over one at a time",
            stack_gain,
            0.25,
            chosen,
        ),
    ):
        print(title)
        for kind, task in those.items():
            try:
                print(f"{kind:<26}{of(task, round(share * arguments.steps), arguments.rounds)}", flush=True)
            except ActsearchError as error:
                print(f"{kind:<26}refused: {str(error)[:90]}", flush=True)


if __name__ == "__main__":
    main()
