"""Small forms of published networks, in whose places a layer stands for BatchNorm and ReLU together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from evaluators.networks.published import densenet, efficientnet, mobilenet, preresnet
from evaluators.tasks.base import Part, Task
from evaluators.tasks.place import Place
from evaluators.tasks.shipped.digits import DigitImages
from evaluators.tasks.shipped.image_sets import SOURCES, ImageSet
from evaluators.tasks.shipped.mnist1d import SignalCNN
from evaluators.tasks.shipped.sized import SizedTask

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of networks: what makes one of dimensions, channels, width, depth and outputs, and the usual size.

    Args:
        build: the network of them.
        usual: depth and width.
    """

    build: Callable[[int, int, int, int, int], nn.Sequential]
    usual: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """Where examples come from: a task that has them, and how they lie.

    Args:
        task: makes the task.
        dimensions: behind the channels.
        channels: of an example.
        classes: number of labels.
    """

    task: Callable[[], Task]
    dimensions: int
    channels: int
    classes: int = 10


FAMILIES = {
    "preresnet": Family(preresnet, (2, 8)),
    "mobilenet": Family(mobilenet, (2, 8)),
    "efficientnet": Family(efficientnet, (2, 8)),
    "densenet": Family(densenet, (4, 8)),
}
PUBLISHED = {"digits": Source(DigitImages, 2, 1), "mnist1d": Source(SignalCNN, 1, 1)}
#: Their data does not come with an installed package.
PUBLISHED_WITH_DATA = {
    name: Source(partial(ImageSet, name), 2, each.channels, each.classes) for name, each in SOURCES.items()
}


class PublishedNetwork(SizedTask):
    """Examples of another task with a small form of a published network; candidates are layers.

    The network has its own initial weights, as published, and a layer is applied as it is: what normalises needs no
    scale. The reference is BatchNorm with ReLU.

    Args:
        source: name of the data.
        family: name of the kind of networks.
        depth: number of blocks.
        width: channels of the first ones.
    """

    batch_size = 32
    learning_rates: tuple[float, ...] = (3e-3, 1e-2, 3e-2)
    steps = 200
    initial = "own"
    scale = "none"
    replaced = (Place(nn.ReLU, kind="layer", absorbs=NORMS),)

    def __init__(self, source: str, family: str, depth: int | None = None, width: int | None = None) -> None:
        self.source, self.family = source, family
        self.title = f"{source}-{family}"
        self.usual = FAMILIES[family].usual
        self.chance = math.log(self.examples.classes)
        super().__init__(depth, width)

    @property
    def examples(self) -> Source:
        """Where its examples come from."""
        return (PUBLISHED | PUBLISHED_WITH_DATA)[self.source]

    def resized(self, depth: int, width: int) -> PublishedNetwork:
        return PublishedNetwork(self.source, self.family, depth, width)

    def network(self) -> nn.Module:
        of = self.examples
        return FAMILIES[self.family].build(of.dimensions, of.channels, self.width, self.depth, of.classes)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        inputs, labels = self.examples.task().data(part)
        return inputs, labels
