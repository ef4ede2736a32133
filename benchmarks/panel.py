"""The panel of known functions: 24 that stand for the catalogue, and how far their best is from the catalogue's best.

Each recorded table has the catalogue on one task (``data/record_curves.py --catalogue``). A function's shortfall on a
task is what its gain lacks of the best one's, in nats, at most 1; a failure counts as 1.

Twelve are in use: those of ``torch.nn`` and the sine. Twelve are the best by records: the best of the first task, of
the second, ..., then the second best of each.

Then each task is left out in turn: the panel is chosen without it, by half of the seeds, and the shortfall of its best
function, picked by one half of the seeds, is taken with the other half. Random panels of 24 stand beside it.

    python benchmarks/panel.py benchmarks/data/known/*.npz
"""

from __future__ import annotations

import argparse
from collections.abc import Container, Sequence
from pathlib import Path

import numpy as np

from benchmarks.expected import gains_of
from evaluators.training.member import Array
from primitives import parse
from primitives.catalogue import Entry, catalogue
from primitives.equivalence.classes import fingerprint

SIZE, WORST, REPEATS = 24, 1.0, 1000
IN_USE = (
    "Sine", "Tanh", "Sigmoid", "ELU", "SELU", "Mish", "Softplus", "Softsign", "HardTanh", "HardSwish", "LeakyReLU",
    "PReLU",
)  # fmt: skip


class Known:
    """The catalogue's functions that every table has.

    Attributes:
        names: of the functions.
        halves: for each task the shortfalls (2, functions) by each half of the seeds.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        by_class: dict[str, Entry] = {}
        for entry in catalogue():
            by_class.setdefault(fingerprint(entry.expression).scale, entry)
        tables = [_rows(path, by_class) for path in paths]
        common = [key for key in tables[0] if all(key in table for table in tables)]
        self.names = [by_class[key].name for key in common]
        self.halves = [np.array([[table[key][half] for key in common] for half in (0, 1)]) for table in tables]
        self.halves = [np.minimum(table.max(axis=1, keepdims=True) - table, WORST) for table in self.halves]

    def panel(self, shortfalls: Array) -> list[int]:
        """The panel by shortfalls (tasks, functions)."""
        chosen = [self.names.index(name) for name in IN_USE]
        for number in np.argsort(shortfalls, axis=1, kind="stable").T.flat:
            if len(chosen) < SIZE and int(number) not in chosen:
                chosen.append(int(number))
        return chosen


def _rows(path: Path, classes: Container[str]) -> dict[str, tuple[float, float]]:
    """Gains by each half of the seeds of the catalogue's functions in a table; ReLU's are 0."""
    with np.load(path) as stored:
        texts, losses, relu = stored["expressions"].tolist(), stored["losses"][:, -1], stored["relu"][-1]
    seeds = losses.shape[1]
    halves = [gains_of(losses, relu, range(first, seeds, 2)).mean(axis=1) for first in (0, 1)]
    numbers = np.nan_to_num(np.array(halves), nan=-np.inf, neginf=-np.inf).T
    found = {fingerprint(parse("relu(x)")).scale: (0.0, 0.0)}
    for text, pair in zip(texts, numbers, strict=True):
        if (key := fingerprint(parse(text)).scale) in classes:
            found[key] = (float(pair[0]), float(pair[1]))
    return found


def left_out(known: Known, panels: Sequence[Sequence[int]], task: int) -> float:
    """Mean shortfall of panels' best functions on a task, picked by half of the seeds, taken with the other half."""
    one, other = known.halves[task]
    picked = [[panel[int(a[list(panel)].argmin())] for panel in panels] for a in (one, other)]
    return float((other[picked[0]].mean() + one[picked[1]].mean()) / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+")
    paths = parser.parse_args().tables
    known = Known(paths)
    whole = np.array([halves.mean(axis=0) for halves in known.halves])
    print(f"{len(known.names)} functions, {len(paths)} tasks; the panel:")
    panel = known.panel(whole)
    for number in panel:
        print(f"  {known.names[number]:<40} shortfalls {np.round(whole[:, number], 2).tolist()}")
    print("smallest shortfall of the panel by task:", np.round(whole[:, panel].min(axis=1), 3).tolist())
    rng, everyone = np.random.default_rng(0), [list(range(len(known.names)))]
    print("left out: chosen without the task, one half of the seeds picks, the other judges (nats below the best)")
    print("task, panel, random panels of 24, the whole catalogue, ReLU")
    relu = [known.names.index("ReLU")]
    for task, path in enumerate(paths):
        others = np.delete(whole, task, axis=0)
        random = [rng.choice(len(known.names), SIZE, replace=False).tolist() for _ in range(REPEATS)]
        row = [left_out(known, each, task) for each in ([known.panel(others)], random, everyone, [relu])]
        print(f"  {path.stem:<20}", *(f"{value:.3f}" for value in row))


if __name__ == "__main__":
    main()
