"""MNIST-1D (Greydanus & Kobak 2024, arXiv:2011.14439), made by the package ``mnist1d``, with five kinds of networks."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.networks import PatchTransformer, gru, resnet, signal_cnn, skipping_mlp
from evaluators.tasks.base import Part
from evaluators.tasks.shipped.residual import ResidualTask
from evaluators.tasks.shipped.sized import SizedTask

Parts = dict[str, tuple[Tensor, Tensor]]

LENGTH = 40  # numbers of a signal
CLASSES = 10
PATCH = 5  # numbers of a patch of the transformer
SEARCH = 2_500  # of the 4,000 training examples; 1,500 and the 1,000 test examples are for confirmation


class Signals(SizedTask):
    """MNIST-1D: ten shapes in signals of 40 numbers, stretched, moved, sheared, with noise.

    The 5,000 examples are the package's, in its order: the search has the first 2,500 of its training examples,
    confirmation the other 1,500 and its test examples. So what is searched on never holds a test example, and the two
    parts, one after the other, are the published training and test sets.

    Attributes:
        shape: of an example, as the network takes it.
    """

    chance = math.log(CLASSES)
    steps = 200
    shape: ClassVar[tuple[int, ...]]

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        signals, labels = _signals()[part]
        return signals.view(-1, *self.shape), labels


class SignalPerceptron(Signals):
    """MNIST-1D, signals of 40 numbers, with a multilayer perceptron."""

    title, usual, shape = "mnist1d-mlp", (2, 256), (LENGTH,)

    def network(self) -> nn.Module:
        return skipping_mlp(LENGTH, self.width, self.depth, CLASSES)


class SignalCNN(Signals):
    """MNIST-1D, signals of 40 numbers, with a convolutional network."""

    title, usual, shape = "mnist1d-cnn", (3, 25), (1, LENGTH)
    learning_rates = (3e-3, 1e-2, 3e-2)

    def network(self) -> nn.Module:
        return signal_cnn(LENGTH, self.width, self.depth, CLASSES)


class SignalGRU(Signals):
    """MNIST-1D, signals of 40 numbers, with gated recurrent units in both directions."""

    title, usual, shape = "mnist1d-gru", (1, 6), (LENGTH, 1)
    batch_size = 32
    learning_rates = (3e-3, 1e-2, 3e-2)

    def network(self) -> nn.Module:
        return gru(LENGTH, self.width, self.depth, CLASSES)


class SignalPatches(Signals):
    """MNIST-1D, signals of 40 numbers, as eight patches with a transformer."""

    title, usual, shape = "mnist1d-vit", (2, 32), (LENGTH // PATCH, PATCH)
    batch_size = 32

    def network(self) -> nn.Module:
        return PatchTransformer(LENGTH // PATCH, PATCH, self.width, self.depth, heads=2, outputs=CLASSES)


class ResidualSignals(ResidualTask, Signals):
    """MNIST-1D, signals of 40 numbers, with a residual network with BatchNorm, ResNet-8."""

    title, usual, shape = "mnist1d-resnet", (1, 16), (1, LENGTH)

    def network(self) -> nn.Module:
        return resnet(1, self.width, self.depth, CLASSES, dimensions=1)


@cache
def _signals() -> Parts:
    """Signals, shape (examples, 40), of mean 0 and deviation 1 over all 5,000, and labels."""
    # imported where it is used: it brings matplotlib.pyplot, which takes 2 s
    from mnist1d.data import get_dataset_args, make_dataset

    with random_states_kept():
        made = make_dataset(get_dataset_args())
    signals = torch.from_numpy(np.concatenate([made["x"], made["x_test"]])).float()
    labels = torch.from_numpy(np.concatenate([made["y"], made["y_test"]]))
    return {
        "search": (signals[:SEARCH], labels[:SEARCH]),
        "confirmation": (signals[SEARCH:], labels[SEARCH:]),
    }


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Leave the global random numbers of Python and numpy, which the package seeds and draws from, as they were."""
    own, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002 - it is the legacy generator that is seeded
    try:
        yield
    finally:
        random.setstate(own)
        np.random.set_state(numpys)  # noqa: NPY002
