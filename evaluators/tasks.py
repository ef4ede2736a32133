"""The shipped tasks; all their data installs with a package."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.networks import mlp
from evaluators.task import Task
from primitives.errors import nearest


class Digits(Task):
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels with a multilayer perceptron.

    One half of the images is for the search, the other for confirmation, split once, stratified.
    """

    chance = math.log(10.0)

    def __init__(self, depth: int, width: int) -> None:
        self.depth, self.width = depth, width
        self.name = "digits" if (depth, width) == (2, 64) else f"digits-{depth}x{width}"

    def network(self) -> nn.Module:
        return mlp(64, self.width, self.depth, 10)

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        return _digits()[part]

    def larger(self) -> Task:
        return Digits(self.depth + 1, self.width * 5 // 4)


@cache
def _digits() -> dict[str, tuple[Tensor, Tensor]]:
    # imported where it is used: it takes longer than all the rest of a command's start
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    halves = train_test_split(pixels, labels, test_size=0.5, stratify=labels, random_state=0)
    search, confirmation = (torch.from_numpy(half).float() for half in halves[:2])
    mean, spread = search.mean(), search.std()  # of the search half alone, one number each
    return {
        "search": ((search - mean) / spread, torch.from_numpy(halves[2])),
        "confirmation": ((confirmation - mean) / spread, torch.from_numpy(halves[3])),
    }


_TASKS: dict[str, Callable[[], Task]] = {
    "digits": lambda: Digits(2, 64),
    "digits-10x32": lambda: Digits(10, 32),
}


def task_names() -> tuple[str, ...]:
    """Names of the shipped tasks."""
    return tuple(_TASKS)


def task(name: str | Task) -> Task:
    """A task by name; a task is returned as it is.

    Raises:
        TaskError: the name is unknown; the message names the nearest one.
    """
    if isinstance(name, Task):
        return name
    if name not in _TASKS:
        raise TaskError(f"unknown task {name!r}{nearest(name, _TASKS)}; there are {', '.join(_TASKS)}")
    return _TASKS[name]()
