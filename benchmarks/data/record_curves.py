"""Record full learning curves of distinct candidates, for replays of strategies, racing and early rejection.

Classes of a grammar that pass the screens are trained to the end, whatever their losses; these are noted at 1/16, 1/8,
1/4, 1/2 and all of the budget. Each seed divides the data anew. With ``--catalogue`` the known functions come first.
The file is written after each batch; the same command continues it.

    python benchmarks/data/record_curves.py benchmarks/data/curves-400.npz --steps 400
    python benchmarks/data/record_curves.py benchmarks/data/mnist1d-mlp-4x32.npz --catalogue --grammar swish2017 \
        --task mnist1d-mlp-4x32 --steps 128 --seeds 8 --rates 0.001 0.004 --candidates 2600
    python benchmarks/data/record_curves.py benchmarks/data/mnist1d-cnn-2x8.npz --catalogue --grammar swish2017 \
        --task mnist1d-cnn-2x8 --steps 96 --seeds 8 --rates 0.006 0.02 --candidates 1053
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evaluators.rejection.screens import screen
from evaluators.seeds import derive, numpy_generator
from evaluators.tasks import task
from evaluators.training.member import CohortMember, Outcome, Schedule
from evaluators.training.train import train
from primitives import grammar, parse
from primitives.catalogue import catalogue
from primitives.equivalence.classes import fingerprint
from primitives.expression.expression import Expression

BATCH = 27  # with ReLU 28 members; two stacks at 3 seeds x 3 rates


SAMPLES = 100_000  # beyond, a grammar of a few thousand classes has no new ones


def distinct(name: str, seed: int, first: Sequence[Expression] = ()) -> Iterator[Expression]:
    """Screened classes of ``first``, then of a random sequence of expressions; a function of the arguments."""
    space, rng = grammar(name), numpy_generator(seed, "curves", name)
    controls = ["relu(x)"] if first else ["relu(x)", "gelu(x)", "silu(x)"]  # ReLU is recorded by itself
    seen = {fingerprint(parse(text)).scale for text in controls}
    for expression in chain(first, (space.sample(rng) for _ in range(SAMPLES))):
        if screen(expression) or (key := fingerprint(expression).scale) in seen:
            continue
        seen.add(key)
        yield expression


def record(arguments: argparse.Namespace) -> None:
    """Train what is missing in the file."""
    path, setting = Path(arguments.file), task(arguments.task)
    steps = [arguments.steps * n // 16 for n in (1, 2, 4, 8, 16)]
    schedule = Schedule(steps[-1], tuple(steps[:-1]), tuple(arguments.rates) or setting.learning_rates)
    seeds = tuple(derive(0, "curves", "seed", number) for number in range(arguments.seeds))
    texts, losses = load(path)
    known = [each.expression for each in catalogue()] if arguments.catalogue else []
    wanted = [e.text for e in islice(distinct(arguments.grammar, 0, known), arguments.candidates)]
    if wanted[: len(texts)] != texts[: len(wanted)]:
        raise SystemExit(f"{path} holds other candidates")
    started, first = time.monotonic(), len(texts)
    while len(texts) < len(wanted):
        batch = wanted[len(texts) : len(texts) + BATCH]
        members = [CohortMember(parse(text), seeds, protected=True) for text in ("relu(x)", *batch)]
        outcomes = train(setting, "search", members, schedule)
        texts, losses = texts + batch, losses + [table(o, steps) for o in outcomes[1:]]
        save(
            path, expressions=np.array(texts), losses=np.stack(losses), relu=table(outcomes[0], steps),
            marks=np.array(steps), rates=np.array(schedule.rates), task=np.array(arguments.task),
            grammar=np.array(arguments.grammar),
        )  # fmt: skip
        rate = (len(texts) - first) / (time.monotonic() - started)
        print(f"{len(texts)}/{len(wanted)}, {60 * rate:.0f} a minute", flush=True)


def table(outcome: Outcome, steps: list[int]) -> np.ndarray[Any, Any]:
    """Losses (steps, seeds, rates)."""
    return np.array([outcome.losses[step] for step in steps], dtype=np.float32)


def load(path: Path) -> tuple[list[str], list[np.ndarray[Any, Any]]]:
    """Expressions and losses of a file; none if it does not exist."""
    if not path.exists():
        return [], []
    with np.load(path) as stored:
        return stored["expressions"].tolist(), list(stored["losses"])


def save(path: Path, **arrays: Any) -> None:
    """Write the file anew under a temporary name and rename it."""
    temporary = path.with_suffix(".tmp.npz")
    np.savez_compressed(temporary, **arrays)
    os.replace(temporary, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--candidates", type=int, default=1600)
    parser.add_argument("--task", default="digits")
    parser.add_argument("--grammar", default="default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--rates", type=float, nargs="*", default=[], help="learning rates; the task's own by default")
    parser.add_argument("--catalogue", action="store_true", help="the known functions first")
    torch.set_num_threads(1)
    record(parser.parse_args())
