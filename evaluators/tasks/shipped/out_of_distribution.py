"""Inputs of no class that a network knows, found by its energy: nothing is trained for a candidate.

A candidate reshapes the features before the last layer of a network that was trained without it, as ReAct (Sun, Guo and
Li 2021, arXiv:2111.12797) and VRA (Xu et al. 2023, arXiv:2302.11716) do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.machine.threads import one_thread
from evaluators.networks import mlp
from evaluators.seeds import derive, torch_generator
from evaluators.tasks.base import Compare, Direction, HeldOut, Part, Split, Task, batches, split
from evaluators.tasks.loop_task import LoopTask
from evaluators.tasks.readings import auroc, fpr95
from evaluators.tasks.shipped.digits import Digits
from evaluators.tasks.shipped.photographs import photograph
from evaluators.tasks.shipped.sized import SizedTask

KNOWN = 8  # the digits 0 to 7; 8 and 9 are unknown
UNIT = 0.9  # quantile of the features that counts as 1
TRAINED_STEPS, TRAINED_RATE = 400, 3e-3  # of the network, by Adam


class OutOfDistribution(SizedTask, LoopTask):
    """A network that was trained on the digits 0 to 7 tells images of another kind by their energy.

    The network has ReLU. Its last features, in units of their .9 quantile over the training examples, go through the
    candidate and then to the last layer: ReLU leaves them as they are, ``min(x,1)`` is ReAct. The score of an image is
    the energy, logsumexp of the logits (Liu et al. 2020, arXiv:2010.03759). Other images are digits 8 and 9, the known
    digits with their pixels permuted, normal noise, and pieces of a photograph; the mean of the area under the ROC
    curve over these four is judged. One training a seed and process serves all candidates; a step does nothing.

    Args:
        depth, width: of the network; the usual ones by default.
        part: of the data that the network is trained on; :meth:`larger` takes that of confirmation.
    """

    title, usual = "ood-digits", (2, 64)
    replaced = ("reshape",)
    initial, scale = "own", "none"
    learning_rates = (1e-3,)  # it stands in results; nothing is trained
    steps = 1
    direction: Direction = "maximise"
    compare: Compare = "difference"
    unit = "AUROC"

    def __init__(self, depth: int | None = None, width: int | None = None, part: Part = "search") -> None:
        super().__init__(depth, width)
        self.part = part

    def resized(self, depth: int, width: int) -> OutOfDistribution:
        return type(self)(depth, width, self.part)

    def larger(self) -> Task:
        """One layer more, and 5/4 of the width; trained on the data of confirmation."""
        return type(self)(self.depth + 1, self.width * 5 // 4, "confirmation")

    def network(self) -> nn.Module:
        *body, head = mlp(64, self.width, self.depth, KNOWN)
        return Reshaped(nn.Sequential(*body), head)

    def prepare(self, network: nn.Module, seed: int) -> None:
        network.load_state_dict(_trained(self.depth, self.width, self.part, seed))

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        return known_digits(part)

    def fit(self, network: nn.Module, part: Part, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        for _ in rung_steps:
            yield self._value(network, part, seed, "validation")
        if part == "confirmation":
            yield self._value(network, part, seed, "test")

    def judge(self, known: Tensor, unknown: Tensor) -> Tensor:
        """What one kind of other images counts, of the scores of the known and of theirs."""
        return auroc(known, unknown)

    @torch.no_grad()
    def _value(self, network: nn.Module, part: Part, seed: int, use: HeldOut) -> float:
        known = known_digits(part)[0][getattr(_split(part, seed), use)]
        score = network(known).logsumexp(dim=1)
        unknown = unknown_images(part, known, derive(seed, use))
        values = [self.judge(score, network(images).logsumexp(dim=1)) for images in unknown]
        return float(torch.stack(values).mean())


class FalsePositives(OutOfDistribution):
    """The same, judged by the share of other images that pass where 95 % of the known do."""

    title = "ood-digits-fpr95"
    direction: Direction = "minimise"
    unit = "FPR95"

    def judge(self, known: Tensor, unknown: Tensor) -> Tensor:
        return fpr95(known, unknown)


class Reshaped(nn.Module):
    """A network with a place between its features and its last layer.

    Args:
        body: makes features, shape (batch, features).
        head: of the features in their own unit.
    """

    unit: Tensor

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body, self.reshape, self.head = body, nn.ReLU(), head
        self.register_buffer("unit", torch.ones((), device="cpu"))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.unit * self.reshape(self.body(x) / self.unit))
        return result


@cache
def known_digits(part: Part) -> tuple[Tensor, Tensor]:
    """The images of 0 to 7, shape (images, 64), and their labels."""
    images, labels = Digits().data(part)
    return images[labels < KNOWN], labels[labels < KNOWN]


def unknown_images(part: Part, known: Tensor, seed: int) -> list[Tensor]:
    """Images of each of the four other kinds, shape (images, 64), for so many known ones."""
    images, labels = Digits().data(part)
    generator = torch_generator(seed, "unknown")
    others = images[labels >= KNOWN]
    pieces = _pieces(part)
    chosen = torch.randperm(len(others), generator=generator, device="cpu")[: len(others) // 2]
    pixels = torch.randperm(known.shape[1], generator=generator, device="cpu")
    noise = torch.randn(known.shape, generator=generator, device="cpu")
    drawn = torch.randint(len(pieces), (len(known),), generator=generator, device="cpu")
    return [others[chosen], known[:, pixels], noise, pieces[drawn]]


@cache
def _pieces(part: Part) -> Tensor:
    """Pieces of 8x8 pixels of a photograph in grey, shape (pieces, 64), of mean 0 and deviation 1 over all."""
    grey = photograph(part).mean(dim=0)
    pieces: Tensor = F.unfold(grey[None, None], 8, stride=8)[0].T
    return (pieces - pieces.mean()) / pieces.std()


def _split(part: Part, seed: int) -> Split:
    return split(len(known_digits(part)[0]), part, seed)


@lru_cache(maxsize=256)
def _trained(depth: int, width: int, part: Part, seed: int) -> dict[str, Tensor]:
    """The state of a network after its training on a part, by name; the tensors are not to be changed."""
    task = OutOfDistribution(depth, width, part)
    inputs, targets = known_digits(part)
    train = _split(part, seed).train
    with one_thread(), torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(derive(seed, "known"))
        network = task.network()
        optimiser = torch.optim.Adam(network.parameters(), lr=TRAINED_RATE)
        for rows in batches(train, TRAINED_STEPS, task.batch_size, seed):
            optimiser.zero_grad()
            task.loss(network(inputs[rows]), targets[rows]).mean().backward()
            optimiser.step()
    state = {name: tensor.detach() for name, tensor in network.state_dict().items()}
    with torch.no_grad():
        return state | {"unit": network.get_submodule("body")(inputs[train]).quantile(UNIT)}
