"""scikit-learn's handwritten digits, for multilayer perceptrons, shallow and deep, and a convolutional network."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor, nn

from evaluators.networks import cnn, mlp
from evaluators.tasks.base import Part, Task
from evaluators.tasks.shipped.sized import SizedTask

Parts = dict[str, tuple[Tensor, Tensor]]


class Digits(SizedTask):
    """1,797 handwritten digits of 8x8 pixels with a multilayer perceptron.

    One half of the images is for the search, the other for confirmation, split once, stratified.
    """

    title, usual = "digits", (2, 64)
    chance = math.log(10.0)

    def network(self) -> nn.Module:
        return mlp(64, self.width, self.depth, 10)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _digits()[part]


class DeepDigits(SizedTask):
    """The images of ``digits`` with a narrow perceptron of 50 layers without normalisation."""

    title, usual = "digits-deep", (50, 32)
    chance = math.log(10.0)
    learning_rates = (3e-4, 1e-3, 3e-3)
    steps = 200
    clip = 1.0

    def network(self) -> nn.Module:
        return mlp(64, self.width, self.depth, 10)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _digits()[part]

    def larger(self) -> Task:
        return self.resized(self.depth * 6 // 5, self.width * 5 // 4)


class DigitImages(SizedTask):
    """The images of ``digits`` with a convolutional network."""

    title, usual = "digits-cnn", (2, 8)
    chance = math.log(10.0)
    batch_size = 32
    learning_rates = (3e-3, 1e-2, 3e-2)
    steps = 150

    def network(self) -> nn.Module:
        return cnn(1, self.width, self.depth, 10)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        pixels, labels = _digits()[part]
        return pixels.view(-1, 1, 8, 8), labels


@cache
def _digits() -> Parts:
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
