"""scikit-learn's small tables: breast cancer and wine, to be classified, and diabetes, a regression."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor, nn

from evaluators.networks import mlp
from evaluators.tasks.base import Part
from evaluators.tasks.readings import accuracy, r_squared
from evaluators.tasks.shipped.sized import SizedTask

Parts = dict[str, tuple[Tensor, Tensor]]

#: Inputs, outputs and loss of a network that has learnt nothing.
TABLES = {"cancer": (30, 2, math.log(2.0)), "wine": (13, 3, math.log(3.0)), "diabetes": (10, 1, 1.0)}


class Table(SizedTask):
    """A table with a multilayer perceptron; one half of the rows is for the search, the other for confirmation.

    Tables are small (569, 178 and 442 rows), so single seeds are noisy and seeds are cheap: take eight or more.
    ``diabetes`` has one number to predict, in units of its standard deviation; its loss is the squared error.
    """

    learning_rates = (1e-3, 3e-3, 1e-2)
    batch_size = 32
    steps = 100
    loss_floor = 1e-2  # a few confident predictions must not decide

    usual = (2, 32)

    def __init__(self, table: str, depth: int | None = None, width: int | None = None) -> None:
        self.table, self.title, self.chance = table, f"tabular-{table}", TABLES[table][2]
        super().__init__(depth, width)

    def resized(self, depth: int, width: int) -> Table:
        return Table(self.table, depth, width)

    def network(self) -> nn.Module:
        inputs, outputs, _ = TABLES[self.table]
        return mlp(inputs, self.width, self.depth, outputs)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _halves(self.table)[part]

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square()[:, 0] if self.table == "diabetes" else super().loss(output, target)

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        if self.table == "diabetes":
            return {"R2": r_squared(output, target)}
        return {"accuracy": accuracy(output, target)}


@cache
def _halves(table: str) -> Parts:
    # imported where it is used: it takes longer than all the rest of a command's start
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
    from sklearn.model_selection import train_test_split

    load = {"cancer": load_breast_cancer, "wine": load_wine, "diabetes": load_diabetes}[table]
    rows, targets = load(return_X_y=True)
    classes = None if table == "diabetes" else targets
    search, confirmation, y_search, y_confirmation = (
        torch.from_numpy(half)
        for half in train_test_split(rows, targets, test_size=0.5, stratify=classes, random_state=0)
    )
    mean, spread = search.mean(dim=0), search.std(dim=0)  # of the search half alone, for each column
    x = [((half - mean) / spread).float() for half in (search, confirmation)]
    if classes is None:
        y = [((half - y_search.mean()) / y_search.std()).float()[:, None] for half in (y_search, y_confirmation)]
    else:
        y = [y_search, y_confirmation]
    return {"search": (x[0], y[0]), "confirmation": (x[1], y[1])}
