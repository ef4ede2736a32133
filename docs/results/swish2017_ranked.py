"""The eight functions of the Swish paper, ranked on each task beside ReLU and the best known functions.

    python -m docs.results.swish2017_ranked                       # all tasks, half an hour of one core or more
    python -m docs.results.swish2017_ranked digits-resnet digits  # some

The known functions are the panel's, GELU and SiLU. Their best three on a task are chosen by two seeds, and are then
judged with the eight by six others, so that the choice flatters nobody. Each function has its best rate of the task's.
A line of the table is a function: gain over ReLU in nats, the mean over the seeds with Student's 95 % interval, task by
task, with its rank among all that were judged there; the known ones differ from task to task. The published columns
are accuracies.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch

from docs.results.found_again import PAPER
from evaluators import evaluate
from search.baseline.functions import known_functions

RESULTS = Path(__file__).with_name("swish2017") / "ranked.json"
TASKS = ("digits-resnet", "digits-cnn", "digits", "mnist1d-resnet", "mnist1d-mlp", "mnist1d-cnn")
CONTROLS = ("gelu(x)", "silu(x)")
CHOSEN, CHOOSING, JUDGING = 3, 2, 6  # known functions that are judged; seeds
CHOICE_SEED, JUDGING_SEED = 101, 102

#: Median of 5 runs with ResNet-164, WRN-28-10 and DenseNet-100-12, %: CIFAR-10, CIFAR-100. UNVERIFIED: recalled, not
#: read in the paper again. ReLU first, then the eight in order.
PUBLISHED = (
    ("93.8/95.3/94.8", "74.2/77.8/83.7"),
    ("94.5/95.5/94.9", "75.1/78.0/83.9"),
    ("94.3/95.3/94.8", "74.8/78.6/84.2"),
    ("94.1/94.8/94.6", "75.2/76.6/81.8"),
    ("94.0/95.1/94.4", "73.4/77.1/74.3"),
    ("93.9/94.7/94.9", "75.2/76.7/83.1"),
    ("93.9/94.2/94.5", "74.8/76.0/78.6"),
    ("91.5/92.1/92.0", "66.1/68.3/67.9"),
    ("85.1/92.1/91.1", "52.8/70.6/68.1"),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A function on a task: mean gain over ReLU in nats, and its interval; None where a seed failed."""

    text: str
    gain: float | None
    interval: tuple[float, float] | None

    @property
    def order(self) -> float:
        return -math.inf if self.gain is None else self.gain

    @property
    def cell(self) -> str:
        if self.gain is None or self.interval is None:
            return "failed"
        return f"{self.gain:+.2f} ({self.interval[0]:+.2f} {self.interval[1]:+.2f})"


def judged(texts: list[str], task: str, seeds: int, seed: int) -> list[Judged]:
    """Functions on a task, by seeds that follow from one."""
    found = evaluate(texts, task, seeds=seeds, seed=seed, objectives=())
    return [
        Judged(text, each.gain, each.interval)
        if each.interval and math.isfinite(each.gain)
        else Judged(text, None, None)
        for text, each in zip(texts, found, strict=True)
    ]


def ranked(task: str) -> list[Judged]:
    """ReLU, which is the reference, the eight and the best known functions of a task, best first."""
    known = [*CONTROLS, *(expression.text for _, expression in known_functions("panel", 1))]
    choice = sorted(judged(known, task, CHOOSING, CHOICE_SEED), key=lambda each: -each.order)
    best = [each.text for each in choice[:CHOSEN]]
    found = judged([*PAPER, *best], task, JUDGING, JUDGING_SEED)
    return sorted([Judged("relu(x)", 0.0, (0.0, 0.0)), *found], key=lambda each: -each.order)


def read() -> dict[str, list[Judged]]:
    """The results so far, by task."""
    if not RESULTS.exists():
        return {}
    return {
        task: [
            Judged(text, gain, None if interval is None else (interval[0], interval[1]))
            for text, gain, interval in rows
        ]
        for task, rows in json.loads(RESULTS.read_text(encoding="utf-8")).items()
    }


def write(results: dict[str, list[Judged]]) -> None:
    rows = {task: [[each.text, each.gain, each.interval] for each in found] for task, found in results.items()}
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def table(results: dict[str, list[Judged]]) -> str:
    """Markdown: one line for each of the nine, one column for each task, then the published ones."""
    tasks = list(results)
    head = ["function", *(f"`{task}`" for task in tasks), "CIFAR-10", "CIFAR-100"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for text, published in zip(("relu(x)", *PAPER), PUBLISHED, strict=True):
        lines.append(
            "| " + " | ".join([f"`{text}`", *(_place(text, results[task]) for task in tasks), *published]) + " |"
        )
    best = [", ".join(f"`{each.text}` {_place(each.text, results[t])}" for each in _known(results[t])) for t in tasks]
    lines += [f"- Best known on `{task}`: {said}" for task, said in zip(tasks, best, strict=True)]
    return "\n".join(lines)


def _known(found: list[Judged]) -> list[Judged]:
    return [each for each in found if each.text not in ("relu(x)", *PAPER)]


def _place(text: str, found: list[Judged]) -> str:
    rank = next(place for place, each in enumerate(found, 1) if each.text == text)
    return f"{rank}: {found[rank - 1].cell}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", help="by default all that are not in ranked.json")
    torch.set_num_threads(1)
    results = read()
    for task in parser.parse_args().tasks or [each for each in TASKS if each not in results]:
        results[task] = ranked(task)
        write(results)
    print(table(results))


if __name__ == "__main__":
    main()
