"""A network, data and a training loop of one's own: three tasks for `actsearch --task docs/bring_your_own.py:Lines`.

`Net` is an ordinary network of torch's that knows nothing of actsearch. `Lines` wraps it in a task that is trained in
stacks, `PrunedLines` prunes it before, `LinesInMyLoop` has a training loop of its own, in which BatchNorm and dropout
are welcome.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import prune

from evaluators import LoopTask, Task, split


class Net(nn.Module):
    """Images of 8x8 pixels in one channel to three classes."""

    def __init__(self, *, modern: bool = False) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8) if modern else nn.GroupNorm(2, 8),
            nn.GELU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.GELU(),
        )
        self.dropout = nn.Dropout(0.1 if modern else 0.0)
        self.head = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(x).mean(dim=(2, 3))))


def lines(examples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noisy pictures with a horizontal, a vertical or a diagonal line."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(examples, 1, 8, 8, generator=generator) * 0.5
    y = torch.randint(3, (examples,), generator=generator)
    place = torch.randint(8, (examples,), generator=generator)
    steps = torch.arange(8)
    for image, kind, start in zip(x[:, 0], y.tolist(), place.tolist(), strict=True):
        rows = torch.full((8,), start) if kind == 0 else steps
        columns = (steps, torch.full((8,), start), (steps + start) % 8)[kind]
        image[rows, columns] += 1.0
    return x, y


class Lines(Task):
    """The network in stacks: actsearch trains many copies of it side by side."""

    batch_size = 32
    learning_rates = (3e-3, 1e-2)
    steps = 60
    chance = 1.0986  # log 3
    replaced = (nn.GELU,)  # by type: both; the Tanh stays

    def network(self) -> nn.Module:
        return Net()

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        return lines(400, seed=1 if part == "search" else 2)


class PrunedLines(Lines):
    """The network with four fifths of its weights pruned: other ones in each seed, and they stay 0."""

    def prepare(self, network: nn.Module, seed: int) -> None:
        layers = [(each, "weight") for each in network.modules() if isinstance(each, (nn.Conv2d, nn.Linear))]
        prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=0.8)


class LinesInMyLoop(LoopTask):
    """The same with a training loop of one's own, one model at a time."""

    learning_rates = (3e-3, 1e-2)
    steps = 60
    chance = 1.0986
    replaced = ("features.2", "features.4", "head.1")  # by name

    def network(self) -> nn.Module:
        return Net(modern=True)

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        return lines(400, seed=1 if part == "search" else 2)

    def fit(self, network: nn.Module, part: str, seed: int, rate: float, rung_steps: Sequence[int]) -> Iterator[float]:
        x, y = self.data(part)
        examples = split(len(x), part, seed)
        order = torch.Generator().manual_seed(seed)
        optimiser = torch.optim.AdamW(network.parameters(), lr=rate)

        def mean_loss(index: Tensor) -> float:
            network.eval()
            with torch.no_grad():
                return F.cross_entropy(network(x[index]), y[index]).item()

        for start, step in pairwise((0, *rung_steps)):
            network.train()
            for _ in range(start, step):
                index = examples.train[torch.randint(len(examples.train), (32,), generator=order)]
                optimiser.zero_grad()
                F.cross_entropy(network(x[index]), y[index]).backward()
                optimiser.step()
            yield mean_loss(examples.validation)
        if part == "confirmation":
            yield mean_loss(examples.test)
