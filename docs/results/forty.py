"""The profile of forty well-known functions: one row a function and side, in forty/profiles.csv.

    python -m docs.results.forty --minutes 60          # goes on where it was stopped; some hours of one core in all
    python -m docs.results.forty --tasks digits bandit
    python -m docs.results.forty --table               # how far it is, and the best five of each side

Each function of a task is measured by ``evaluators.profile``: its learning rate by two seeds, then eight blocks of
others, all paired with ReLU. A function has the same numbers in any company, so the table grows task by task and eight
functions at a time. Rows of one task are from one kind of processor where it could be had; ``processor`` says which.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from evaluators.profile import SIDES, measure_task
from evaluators.profile.codec import profile_to_row
from evaluators.profile.measure import REFERENCE
from primitives.catalogue import catalogue
from search.storage.files import append, csv_text

FOLDER = Path(__file__).with_name("forty")
ROWS = FOLDER / "profiles.csv"
SEEDS, TOGETHER = 8, 8
NAMES = (
    "ReLU", "LeakyReLU", "PReLU", "ReLU6", "Squared ReLU", "SmeLU", "ELU", "SELU", "CELU", "Softplus",
    "GELU", "QuickGELU", "SiLU", "Swish", "Mish", "HardSwish", "Serf", "Logish", "TanhExp (= TeLU)", "GoLU",
    "ISRLU", "SoftModulusQ", "Tanhshrink", "Softshrink", "Tanh", "HardTanh", "Softsign", "Sigmoid", "Arctan", "Erf",
    "LiSHT", "Self arctan", "Penalized tanh", "Sine", "Snake", "GCU", "min(x,sin(x)) (minsin)", "Gaussian", "Elephant",
    "Bent identity",
)  # fmt: skip


def functions() -> dict[str, str]:
    """Names by the functions' texts, ReLU's first."""
    texts = {entry.name: entry.expression.text for entry in catalogue()}
    return {texts[name]: name for name in NAMES}


def rows() -> list[dict[str, str]]:
    """What is there."""
    if not ROWS.exists():
        return []
    with ROWS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def missing(tasks: Sequence[str], names: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Tasks with some functions that they lack."""
    done = {(row["task"], row["expression"]) for row in rows()}
    for task in tasks:
        left = [text for text in names if text != REFERENCE and (task, text) not in done]
        yield from ((task, left[first : first + TOGETHER]) for first in range(0, len(left), TOGETHER))


def measure(task: str, texts: Sequence[str], names: dict[str, str]) -> None:
    """Add the rows of some functions on a task; ReLU's are added with the first ones."""
    sides = [side for side in SIDES if side.task == task]
    known = any(row["task"] == task for row in rows())
    found = measure_task(task, [REFERENCE, *texts], sides, seeds=SEEDS)
    cells = [
        profile_to_row(each, names) | {"processor": torch.backends.cpu.get_cpu_capability()}
        for each in found
        if not known or each.expression != REFERENCE
    ]
    FOLDER.mkdir(exist_ok=True)
    head = "" if ROWS.exists() else csv_text(list(cells[0]), [])
    append(ROWS, (head + csv_text(list(cells[0]), cells).split("\n", 1)[1]).encode())


def table(names: dict[str, str]) -> Iterator[str]:
    """How many functions each side has, and the best five."""
    for side in SIDES:
        own = [row for row in rows() if row["side"] == side.name and row["over_relu"]]
        best = sorted(own, key=lambda row: -float(row["over_relu"]))[:5]
        told = ", ".join(f"{row['name']} {float(row['over_relu']):+.3f}" for row in best)
        yield f"{side.name}: {len(own)} of {len(names)}; {told}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="after which no task is begun")
    parser.add_argument("--tasks", nargs="+", default=list(dict.fromkeys(side.task for side in SIDES)))
    parser.add_argument("--table", action="store_true", help="measure nothing")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    names, end = functions(), time.monotonic() + 60 * asked.minutes
    for task, texts in () if asked.table else missing(asked.tasks, names):
        if time.monotonic() > end:
            break
        measure(task, texts, names)
        print(task, *(names[text] for text in texts), sep=", ", flush=True)
    print("\n".join(table(names)))


if __name__ == "__main__":
    main()
