"""MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100 by `datasets`, an optional library, from a folder or the hub."""

from __future__ import annotations

import math
import os
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.networks import cnn, resnet
from evaluators.seeds import torch_generator
from evaluators.tasks.base import Part
from evaluators.tasks.shipped.residual import ResidualTask
from evaluators.tasks.shipped.sized import SizedTask

FOLDER = "ACTSEARCH_DATA"  # variable of the environment
EXAMPLES = 10_000  # of a part at most: a worker holds them in memory, 123 MB for colours


@dataclass(frozen=True, slots=True)
class Source:
    """Where a set lies on the Hugging Face hub, the names of its columns, and the shape of its images."""

    repository: str
    image: str
    label: str
    channels: int
    classes: int


SOURCES = {
    "mnist": Source("ylecun/mnist", "image", "label", 1, 10),
    "fashion-mnist": Source("zalando-datasets/fashion_mnist", "image", "label", 1, 10),
    "cifar-10": Source("uoft-cs/cifar10", "img", "label", 3, 10),
    "cifar-100": Source("uoft-cs/cifar100", "img", "fine_label", 3, 100),
}


class ImageSet(SizedTask):
    """A well-known set of labelled images with a small convolutional network.

    The search takes 10,000 of the training images, confirmation the test images. They are read from the folder
    ``$ACTSEARCH_DATA/NAME``, which holds the set as it lies on the hub (``train-*.parquet``, ``test-*.parquet``), or,
    where the variable is not set, from the hub, once, through the library's cache.
    """

    batch_size = 32
    learning_rates = (3e-3, 1e-2, 3e-2)
    steps = 200

    usual = (3, 8)

    suffix = ""

    def __init__(self, kind: str, depth: int | None = None, width: int | None = None) -> None:
        self.kind, self.title, self.chance = kind, kind + self.suffix, math.log(SOURCES[kind].classes)
        super().__init__(depth, width)

    def resized(self, depth: int, width: int) -> Self:
        return type(self)(self.kind, depth, width)

    def network(self) -> nn.Module:
        return cnn(SOURCES[self.kind].channels, self.width, self.depth, SOURCES[self.kind].classes)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        pixels, labels = _images(self.kind, part)
        search = _images(self.kind, "search")[0]
        return (pixels - search.mean()) / search.std(), labels


class ResidualImages(ResidualTask, ImageSet):
    """The same images with a residual network with BatchNorm; of ``cifar-10`` it is ResNet-20.

    10,000 steps are the budget that Ramachandran et al. 2017 (arXiv:1710.05941) give a candidate.
    """

    usual = (3, 16)
    suffix = "-resnet"
    batch_size = 128
    steps = 10_000

    def network(self) -> nn.Module:
        source = SOURCES[self.kind]
        return resnet(source.channels, self.width, self.depth, source.classes)


@cache
def _images(kind: str, part: Part) -> tuple[Tensor, Tensor]:
    """Pixels within [0, 1], shape (n, channels, height, width), and labels, of at most 10,000 images."""
    source = SOURCES[kind]
    rows = _rows(kind, "train" if part == "search" else "test")
    chosen = torch.randperm(len(rows), generator=torch_generator(0, kind, part), device="cpu")[:EXAMPLES]
    picked = rows[chosen.tolist()]
    pixels = torch.from_numpy(np.stack([np.asarray(image) for image in picked[source.image]])).float() / 255
    pixels = pixels.unsqueeze(1) if source.channels == 1 else pixels.permute(0, 3, 1, 2).contiguous()
    return pixels, torch.tensor(picked[source.label], device="cpu")


def _rows(kind: str, name: str) -> Any:
    """One split of a set.

    Raises:
        TaskError: the library is not installed, or neither folder nor hub has the set.
    """
    try:
        import datasets
    except ImportError:
        raise TaskError(f"task {kind!r} needs the library datasets: pip install 'actsearch[data]'") from None
    folder = os.environ.get(FOLDER)
    place = str(Path(folder) / kind) if folder else SOURCES[kind].repository
    try:
        with warnings.catch_warnings(action="ignore"):
            return datasets.load_dataset(place, split=name)
    except (OSError, ValueError) as error:
        raise TaskError(
            f"task {kind!r}: cannot load {name} images from {place}: {error}; set {FOLDER} to a folder in which "
            f"{kind}/ holds the files of {SOURCES[kind].repository} from the Hugging Face hub"
        ) from None
