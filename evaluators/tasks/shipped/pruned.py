"""Pruned networks, as SAFS searches on (Loni et al. 2023, arXiv:2305.10964): trained dense, then masked, then tuned.

A network is trained with ReLU, and in each layer the weights of smallest size are masked. Every candidate begins with
what is left and trains that; no masked weight comes back.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from evaluators.errors import TaskError
from evaluators.machine.threads import one_thread
from evaluators.networks import mlp, signal_cnn
from evaluators.seeds import derive
from evaluators.tasks.base import Part, Task, batches
from evaluators.tasks.shipped.digits import Digits
from evaluators.tasks.shipped.mnist1d import CLASSES, LENGTH, SignalCNN
from evaluators.tasks.shipped.sized import SizedTask

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)
#: Dense networks that a process keeps: as many seeds as a job has at once. The largest takes 0.4 MB.
KEPT = 256


class Pruned(SizedTask):
    """A task whose networks are trained dense, pruned by magnitude in each layer, and trained on with masks.

    The dense training is that of a network with ReLU on the training examples of the seed, of the part of the data that
    the models are judged on: none of these examples is held out of that seed's later training. It is done once a seed
    in each process. Where candidates begin does not depend on ``initial``. A candidate is applied as it is, scale
    ``"none"``, since the weights were trained for ReLU as it is.

    Args:
        depth, width: of the network; the usual ones by default.
        sparsity: share of each layer's weights that are masked, from 0 to below 1; biases stay.
        part: of the data that the dense network is trained on; :meth:`larger` takes that of confirmation.

    Attributes:
        usual_sparsity: where a name has none.
        dense_rate, dense_steps: of Adam, by which the dense network is trained.

    Raises:
        TaskError: the sparsity is none.
    """

    initial, scale = "own", "none"
    usual_sparsity: ClassVar[float] = 0.95
    dense_rate: ClassVar[float]
    dense_steps: ClassVar[int] = 400

    def __init__(
        self, depth: int | None = None, width: int | None = None, sparsity: float | None = None, part: Part = "search"
    ) -> None:
        self.sparsity, self.part = self.usual_sparsity if sparsity is None else sparsity, part
        if not 0 <= self.sparsity < 1:
            raise TaskError(f"{self.title}: sparsity: expected a share from 0 to below 1, got {self.sparsity}")
        if self.sparsity != self.usual_sparsity:
            self.title = f"{self.title}-{self.sparsity:g}"
        super().__init__(depth, width)

    def sparse(self, sparsity: float) -> Self:
        """The same task with another share of masked weights."""
        return type(self)(self.depth, self.width, sparsity, self.part)

    def resized(self, depth: int, width: int) -> Self:
        return type(self)(depth, width, self.sparsity, self.part)

    def larger(self) -> Task:
        """One layer more, and 5/4 of the width; trained dense and pruned likewise, on the data of confirmation."""
        return type(self)(self.depth + 1, self.width * 5 // 4, self.sparsity, "confirmation")

    def prepare(self, network: nn.Module, seed: int) -> None:
        """Put the weights of the seed's dense network in, and mask the smallest of each layer.

        Raises:
            TaskError: a layer has too few weights: no input would come through it, and all candidates would be one.
        """
        layers = [module for module in network.modules() if isinstance(module, LAYERS)]
        fewest = min(module.weight.numel() for module in layers)
        if round(self.sparsity * fewest) == fewest:
            raise TaskError(
                f"task {self.name!r}: a layer of {fewest} weights would have none left; the largest sparsity that "
                f"leaves it one is {math.floor(1000 * (1 - 1 / fewest)) / 1000:g}, or take a wider network"
            )
        network.load_state_dict(_dense(type(self), self.depth, self.width, self.part, seed, self.split_seed))
        for module in layers:
            prune.l1_unstructured(module, "weight", amount=self.sparsity)


class PrunedDigits(Pruned, Digits):
    """The images of ``digits`` with a pruned perceptron."""

    title, usual = "digits-pruned", (3, 128)
    learning_rates = (3e-3, 1e-2, 3e-2)
    dense_rate = 3e-3
    steps = 200

    def network(self) -> nn.Module:
        return mlp(64, self.width, self.depth, 10)


class PrunedSignals(Pruned, SignalCNN):
    """MNIST-1D with a pruned convolutional network."""

    title, usual = "mnist1d-pruned", (3, 50)
    dense_rate = 1e-2

    def network(self) -> nn.Module:
        return signal_cnn(LENGTH, self.width, self.depth, CLASSES)


@lru_cache(maxsize=KEPT)
def _dense(
    kind: type[Pruned], depth: int, width: int, part: Part, seed: int, split_seed: int | None = None
) -> dict[str, Tensor]:  # fmt: skip
    """The weights of a network after its dense training, by name, on the CPU in float32; they are not to be changed."""
    task = kind(depth, width, 0.0, part)
    task.split_seed = split_seed
    inputs, targets = task.data(part)
    order = batches(task.divided(len(inputs), part, seed).train, kind.dense_steps, task.batch_size, seed)
    with one_thread(), torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(derive(seed, "dense"))
        network = task.network()
        optimiser = torch.optim.Adam(network.parameters(), lr=kind.dense_rate)
        for rows in order:
            optimiser.zero_grad()
            task.loss(network(inputs[rows]), targets[rows]).mean().backward()
            optimiser.step()
    return {name: tensor.detach() for name, tensor in network.state_dict().items()}
