"""Classes that come two at a time and never again: what a network still knows of the first when the last are learnt."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from evaluators.networks import mlp
from evaluators.seeds import torch_generator
from evaluators.tasks.base import BLOCK, Part
from evaluators.tasks.readings import accuracy
from evaluators.tasks.shipped.digits import Digits
from evaluators.tasks.shipped.mnist1d import LENGTH, SignalPerceptron
from evaluators.tasks.shipped.sized import SizedTask

CLASSES, GROUPS = 10, 5  # two classes a group
AT_ONCE = 8  # examples of a step; a batch has each of them four times, since it is a multiple of 32


class SplitTask(SizedTask):
    """Ten classes in five groups of two, one after the other, with a perceptron of one wide layer.

    The class-incremental setting of split MNIST (Lan and Mahmood 2023, arXiv:2310.01365): one head for all classes,
    one pass, no example is seen again. The steps of a training are divided evenly among the groups; the shipped number
    of steps is one pass. All classes are judged, by accuracy: a network that knows the last group alone has 0.2. Which
    functions are better depends on the learning rate, so the grid is wide.

    Attributes:
        inputs: numbers of an example.
    """

    batch_size = BLOCK
    direction, compare, unit = "maximise", "difference", "accuracy"
    inputs: ClassVar[int]

    def network(self) -> nn.Module:
        return mlp(self.inputs, self.width, self.depth, CLASSES)

    def order(self, targets: Tensor, steps: int, seed: int) -> Tensor:
        generator = torch_generator(seed, "order")
        groups = [_passes(_rows_of(targets, group), _share(steps, group), generator) for group in range(GROUPS)]
        return torch.cat(groups).repeat(1, BLOCK // AT_ONCE)

    def metric(self, output: Tensor, target: Tensor) -> Tensor:
        return accuracy(output, target)

    def readings(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The accuracy on the classes of all groups but the last.

        It was near 1 when each group had just been learnt. So forgetting, the mean over these groups of the best
        accuracy less the last one, is at most 1 less this.
        """
        earlier = target < CLASSES - CLASSES // GROUPS
        return {"accuracy of earlier classes": accuracy(output[earlier], target[earlier])}


class SplitDigits(SplitTask):
    """The images of ``digits``, classes two after two."""

    title, usual, inputs = "split-digits", (1, 256), 64
    learning_rates = (1e-4, 3e-4, 1e-3, 3e-3)
    steps = 80

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return Digits().data(part)


class SplitSignals(SplitTask):
    """The signals of MNIST-1D, classes two after two: harder, most functions keep the last two or none."""

    title, usual, inputs = "split-mnist1d", (1, 1024), LENGTH
    learning_rates = (3e-4, 1e-3, 3e-3)
    steps = 210

    def larger(self) -> SizedTask:
        """5/4 of the width: a second layer of that many units would cost twenty times as much."""
        return self.resized(self.depth, self.width * 5 // 4)

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return SignalPerceptron().data(part)


def _rows_of(targets: Tensor, group: int) -> Tensor:
    return (targets // (CLASSES // GROUPS) == group).nonzero().flatten()


def _share(steps: int, group: int) -> int:
    """Steps of a group; the sum over the groups is all."""
    return steps * (group + 1) // GROUPS - steps * group // GROUPS


def _passes(rows: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Rows of each step, shape (steps, 8): all once, then all again."""
    epochs = -(-steps * AT_ONCE // len(rows))
    drawn = [rows[torch.randperm(len(rows), generator=generator, device="cpu")] for _ in range(epochs)]
    return torch.cat(drawn)[: steps * AT_ONCE].view(steps, AT_ONCE) if steps else rows.new_empty(0, AT_ONCE)
