"""scikit-learn's handwritten digits, for perceptrons, shallow and deep, convolutional and residual networks."""

from __future__ import annotations

import gzip
import math
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from evaluators.networks import cnn, mlp, resnet, skipping_mlp
from evaluators.tasks.base import Part, Task
from evaluators.tasks.shipped.residual import ResidualTask
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
    clip: float | None = 1.0

    def network(self) -> nn.Module:
        return mlp(64, self.width, self.depth, 10)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _digits()[part]

    def larger(self) -> Task:
        return self.resized(self.depth * 6 // 5, self.width * 5 // 4)


class DeepNarrowDigits(DeepDigits):
    """The same without clipped gradients, in batches of 128: here ELU is above ReLU, and ReLU above SiLU.

    With ``digits-deep``'s clip and batches of 64 SiLU is above ReLU: its gradients are large, which the clip repairs.
    """

    title = "digits-deep-narrow"
    batch_size = 128
    clip = None


class ResidualPerceptronDigits(DeepDigits):
    """The images of ``digits`` with a narrow perceptron of 50 layers without normalisation, each of them but the first
    added to what it gets: h + f(W h) / sqrt(50).
    """

    title = "digits-residual"
    clip = None

    def network(self) -> nn.Module:
        return skipping_mlp(64, self.width, self.depth, 10, scale=self.depth**-0.5)


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
        return _images(part)


class ResidualDigits(ResidualTask):
    """The images of ``digits`` with a residual network with BatchNorm, ResNet-8."""

    title, usual = "digits-resnet", (1, 16)
    chance = math.log(10.0)
    steps = 150

    def network(self) -> nn.Module:
        return resnet(1, self.width, self.depth, 10)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return _images(part)


def _images(part: Part) -> tuple[Tensor, Tensor]:
    pixels, labels = _digits()[part]
    return pixels.view(-1, 1, 8, 8), labels


@cache
def _digits() -> Parts:
    """The halves. The order of the rows is that of scikit-learn's stratified split with random_state 0, kept here."""
    table = _table()
    order = np.load(Path(__file__).with_name("digits_order.npy"), allow_pickle=False)
    ends = {"search": order[: len(order) // 2], "confirmation": order[len(order) // 2 :]}
    pixels = {part: torch.from_numpy(table[rows, :-1]).float() for part, rows in ends.items()}
    labels = {part: torch.from_numpy(table[rows, -1].astype(np.int64)) for part, rows in ends.items()}
    mean, spread = pixels["search"].mean(), pixels["search"].std()  # of the search half alone, one number each
    return {part: ((pixels[part] - mean) / spread, labels[part]) for part in ends}


def _table() -> npt.NDArray[np.float64]:
    """64 pixels and the label of each image, (1797, 65), read without scikit-learn: to import it takes 1.4 s CPU."""
    found = find_spec("sklearn")
    folders = (found.submodule_search_locations if found else None) or ()
    for path in (Path(folder, "datasets", "data", "digits.csv.gz") for folder in folders):
        if path.is_file():
            with gzip.open(path, "rt", encoding="utf-8") as file:
                return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits  # its files lie elsewhere in this version

    pixels, labels = load_digits(return_X_y=True)
    return np.column_stack([pixels, labels])
