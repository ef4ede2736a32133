"""Record full learning curves of distinct candidates, for replays of early rejection.

Classes of a grammar that pass the screens are trained to the end, whatever their losses; these are noted at 1/16, 1/8,
1/4, 1/2 and all of the budget. The file is written after each batch; the same command continues it.

    python benchmarks/data/record_curves.py benchmarks/data/curves-400.npz --steps 400
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
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
from primitives.equivalence.classes import fingerprint
from primitives.expression.expression import Expression

BATCH = 27  # with ReLU 28 members; two stacks at 3 seeds x 3 rates


def distinct(name: str, count: int, seed: int) -> Iterator[Expression]:
    """The first ``count`` classes of a random sequence of expressions, screened; a function of the arguments."""
    space, rng = grammar(name), numpy_generator(seed, "curves", name)
    seen = {fingerprint(parse(text)).scale for text in ("relu(x)", "gelu(x)", "silu(x)")}
    found = 0
    while found < count:
        expression = space.sample(rng)
        if screen(expression) or (key := fingerprint(expression).scale) in seen:
            continue
        seen.add(key)
        found += 1
        yield expression


def record(arguments: argparse.Namespace) -> None:
    """Train what is missing in the file."""
    path, setting = Path(arguments.file), task(arguments.task)
    steps = [arguments.steps * n // 16 for n in (1, 2, 4, 8, 16)]
    schedule = Schedule(steps[-1], tuple(steps[:-1]), setting.learning_rates)
    seeds = tuple(derive(0, "curves", "seed", number) for number in range(arguments.seeds))
    texts, losses = load(path)
    wanted = [e.text for e in distinct(arguments.grammar, arguments.candidates, seed=0)]
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
    torch.set_num_threads(1)
    record(parser.parse_args())
