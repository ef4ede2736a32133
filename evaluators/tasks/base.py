"""A task: data, a network, a loss. Shipped tasks and a user's own are subclasses of :class:`Task`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.seeds import torch_generator

#: What the examples are for: the parts of a task's data share none.
Part = Literal["search", "confirmation"]
#: The share of a part's examples that a loss is taken on, after training on the rest.
HeldOut = Literal["validation", "test"]

BLOCK = 32  # batches are multiples of it: then no bit of a slice depends on the stack around it


class Task(ABC):
    """What candidates are judged on.

    Attributes:
        name: name in configs and results; a class in a file that has none gets the class's.
        batch_size: examples per step, a multiple of 32.
        learning_rates: the default grid.
        steps: the default full budget.
        loss_floor: smaller losses count as this one, so that a gain cannot grow without bound.
        chance: loss of a network that has learnt nothing, or None.
        replaced: what the candidate takes the place of: types of modules, and patterns of their names in the
            network, such as ``"features.*.act"``.
        optimiser: ``"adam"``, or ``"sgd"`` with momentum 0.9.
        schedule: of the learning rate, ``"constant"`` or ``"cosine"``, which ends at 0.
        clip: largest norm of a model's gradient, or None.
        reference: what candidates are compared with: ``"current"``, the network as it stands, or ``"relu"``, ReLU in
            the candidate's places. The shipped tasks have ReLU.
    """

    name: str = ""
    batch_size: int = 64
    learning_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    steps: int = 400
    loss_floor: float = 1e-4
    chance: float | None = None
    replaced: tuple[type[nn.Module] | str, ...] = (nn.ReLU,)
    optimiser: str = "adam"
    schedule: str = "constant"
    clip: float | None = None
    reference: str = "current"

    @abstractmethod
    def network(self) -> nn.Module:
        """A new network, an ordinary module; its initial weights are overwritten.

        It may differ between models in parameters and buffers only, and a call must not change a buffer. Derivatives
        of its output, by coordinates or by each example, are taken within it, by ``torch.func`` in reverse mode.
        """

    @abstractmethod
    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        """Inputs and targets, first dimension the examples, of a part: ``"search"`` or ``"confirmation"``.

        The parts share no example.
        """

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Loss of each example, shape (batch,).

        Default: cross-entropy in nats of logits, whose last dimension are the classes; of tokens, shape (batch,
        tokens, classes), the mean over them.
        """
        logits = output.flatten(0, -2)
        # torch's kernel takes whole vectors of 16: 10 classes and 6 of no probability in a quarter of the time of 10
        logits = F.pad(logits, (0, -logits.shape[-1] % 16), value=-math.inf)
        losses = F.cross_entropy(logits, target.flatten(), reduction="none")
        return losses.view(target.shape).flatten(1).mean(dim=1) if target.dim() > 1 else losses

    def larger(self) -> Task | None:
        """The same data with a network that the search never sees, for confirmation."""
        return None


@dataclass(frozen=True, slots=True)
class Split:
    """Indices into a part's examples for one seed; no example is in two of them."""

    train: Tensor
    validation: Tensor
    test: Tensor


def split(examples: int, part: Part, seed: int) -> Split:
    """Divide a part's examples at random.

    In the search 30 % validate and none test; in confirmation 15 % validate and 30 % test. Sizes of both from 32 on
    are rounded down to multiples of 32. Below, all are taken: the stack fills a batch up to 32 with copies that do
    not count. At least 32 examples must remain to train with (see :func:`batches`): 45 in the search, 57 in
    confirmation.
    """
    shares = (0.30, 0.0) if part == "search" else (0.15, 0.30)
    validation, test = (_whole_blocks(int(share * examples)) for share in shares)
    order = torch.randperm(examples, generator=torch_generator(seed, "split", part), device="cpu")
    return Split(order[validation + test :], order[:validation], order[validation : validation + test])


def _whole_blocks(size: int) -> int:
    return size if size < BLOCK else size // BLOCK * BLOCK


def batches(train: Tensor, steps: int, batch_size: int, seed: int) -> Tensor:
    """Indices of every batch, shape (steps, batch_size): a new permutation each epoch, the remainder left out.

    Raises:
        TaskError: there are fewer training examples than the smallest batch has.
    """
    generator = torch_generator(seed, "order")
    if len(train) < BLOCK:
        raise TaskError(f"training examples: expected at least {BLOCK}, got {len(train)}")
    size = min(batch_size, len(train) // BLOCK * BLOCK)
    per_epoch = len(train) // size
    epochs = -(-steps // per_epoch)
    orders = [torch.randperm(len(train), generator=generator, device="cpu")[: per_epoch * size] for _ in range(epochs)]
    return train[torch.cat(orders)].view(-1, size)[:steps]
