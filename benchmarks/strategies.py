"""Strategies on recorded scores: how soon each finds the best of a table's unknown classes, and what it would choose.

Each repeat draws which seeds a strategy sees; the gain is the mean over these of log(loss of ReLU / loss), each at the
learning rate that is best on them. The other seeds judge. ``mnist1d-mlp-4x32.npz`` and ``mnist1d-cnn-2x8.npz`` have the
catalogue and the one-unit Swish space on perceptrons and convolutions, each seed with a split of its own;
``swish-5x32.npz`` has 2,816 classes of that space on another perceptron; ``curves-400.npz`` is a sample of the default
grammar on the digits MLP, where most mutations stand for one of their nearest members. ``actsearch replay`` does the
same with a table of one's own; the rules are in ``search/tabular/replay.py``.

    python benchmarks/strategies.py benchmarks/data/swish-5x32.npz --budget 200
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from primitives import grammar, parse
from search.tabular.compare import compare
from search.tabular.replay import Setting, said
from search.tabular.score_table import Losses, Table
from search.terminal.tables import chosen_table, hits_table, replay_table

STRATEGIES: dict[str, dict[str, object]] = {
    "controller": {"name": "controller"},
    "evolution": {"name": "evolution"},
    "late_acceptance": {"name": "late_acceptance"},
    "nsga2": {"name": "nsga2"},
    "optuna, TPE": {"name": "optuna"},
    "surrogate": {"name": "surrogate"},
    "surrogate, nearest": {"name": "surrogate", "choice": "nearest"},
}


def recorded(path: Path) -> tuple[Table, str]:
    """The recorded classes with their final losses, and the name of their grammar."""
    with np.load(path) as stored:
        source = str(stored["grammar"])
        expressions = tuple(parse(text) for text in stored["expressions"].tolist())
        losses = Losses(stored["losses"][:, -1].astype(np.float64), stored["relu"][-1].astype(np.float64))
    gains = losses.gains(range(losses.seeds))
    return Table(expressions, tuple({"gain": float(gain)} for gain in gains), losses), source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", nargs="*", default=list(STRATEGIES), choices=list(STRATEGIES))
    parser.add_argument("--budget", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=2, help="that a strategy sees")
    parser.add_argument("--cold", action="store_true", help="begin without the known functions' results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table, source = recorded(arguments.file)
    setting = Setting(arguments.budget, seeds=arguments.seeds, baseline=not arguments.cold)
    console = Console(width=140)
    failed = int(np.isinf(table.gains).sum())
    console.print(
        f"{arguments.file}: {len(table.expressions)} classes, {failed} of them failed; {said(table, setting)}"
    )
    chosen = {name: STRATEGIES[name] for name in arguments.only}
    found = compare(table, chosen, grammar(source), setting, arguments.repeats)
    console.print(replay_table(found, "rank", "Rank of the best so far: median (quartiles)"))
    console.print(replay_table(found, "regret", "What it lacks of the best gain, nats: median (quartiles)"))
    console.print(hits_table(found))
    console.print(chosen_table(found))


if __name__ == "__main__":
    main()
