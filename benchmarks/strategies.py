"""Strategies on recorded scores: how soon each finds the best of a table's classes.

The gains come from recorded curves: at the end, the mean over the seeds of log(loss of ReLU / loss), each at its best
learning rate. ``data/swish-5x32.npz`` has 2,816 classes of the one-unit Swish space on a perceptron of five layers, so
that most proposals are in the table; ``data/curves-400.npz`` is a sample of the default grammar on the digits MLP;
there most stand for their nearest member. ``actsearch replay`` does the same with a table of one's own; what a
proposal stands for is said in ``search/tabular/replay.py``.

    python benchmarks/strategies.py benchmarks/data/swish-5x32.npz --budget 200
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from evaluators.rejection import relative_loss
from primitives import grammar, parse
from primitives.equivalence.classes import fingerprint
from search.strategies.features import shape
from search.tabular.replay import replay
from search.tabular.score_table import Table
from search.terminal.tables import hits_table, replay_table

STRATEGIES: dict[str, dict[str, object]] = {
    "controller": {"name": "controller"},
    "evolution": {"name": "evolution"},
    "late_acceptance": {"name": "late_acceptance"},
    "nsga2": {"name": "nsga2"},
    "optuna, TPE": {"name": "optuna"},
    "surrogate, nearest": {"name": "surrogate", "choice": "nearest", "pool": 256},
    "surrogate, improvement": {"name": "surrogate", "choice": "improvement", "pool": 256},
    "surrogate, thompson": {"name": "surrogate", "pool": 256},
}


def recorded(path: Path) -> tuple[Table, str]:
    """The recorded classes with their final gains, and the name of their grammar."""
    with np.load(path) as stored:
        source = str(stored["grammar"])
        expressions = tuple(parse(text) for text in stored["expressions"].tolist())
        losses, relu = stored["losses"][:, -1].astype(np.float64), stored["relu"][-1].astype(np.float64)
    table = Table(
        expressions,
        tuple({"gain": -relative_loss(of_candidate, relu)} for of_candidate in losses),
        {fingerprint(expression).scale: number for number, expression in enumerate(expressions)},
        np.array([shape(expression) for expression in expressions]),
    )
    return table, source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", nargs="*", default=list(STRATEGIES), choices=list(STRATEGIES))
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table, source = recorded(arguments.file)
    print(f"{arguments.file}: {len(table.expressions)} classes, {np.isinf(table.gains).sum()} of them failed")
    chosen = {name: STRATEGIES[name] for name in arguments.only}
    found = replay(table, chosen, grammar(source), budget=arguments.budget, repeats=arguments.repeats, cohort=8)
    console = Console(width=120)
    console.print(replay_table(found, "rank", "Rank of the best so far: median (quartiles)"))
    console.print(replay_table(found, "regret", "What it lacks of the best gain, nats: median (quartiles)"))
    console.print(hits_table(found))


if __name__ == "__main__":
    main()
