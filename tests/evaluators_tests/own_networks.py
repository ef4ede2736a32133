"""Small networks of the kinds that users have, each a task, and what a plain loop in torch makes of it.

They know nothing of the project but the class that a task is. ``by_hand`` builds the same network with a function in
the place of its activation, so that a loop that imports no trainer can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import Dataset, TensorDataset

from evaluators.tasks.base import Task

EXAMPLES = 128


class Block(nn.Module):
    """Two layers and a skip connection, with what else a test puts between them."""

    def __init__(self, *between: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 8), *between, nn.ReLU(), nn.Linear(8, 8))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.body(x)
        return result


def layers(*between: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(12, 8), nn.ReLU(), Block(*between), nn.Linear(8, 5))


class Recurrent(nn.Module):
    """An LSTM over four parts of the input, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = (
            nn.LSTM(3, 8, batch_first=True),
            nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 5)),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.lstm(x.unflatten(1, (4, 3)))[0][:, -1])
        return result


class LooksAtValues(nn.Module):
    """Takes another way where the mean is large."""

    def __init__(self) -> None:
        super().__init__()
        self.body = layers()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.body(x)
        return 2.0 * result if x.mean() > 0 else result


class Checkpointed(nn.Module):
    """Computes its middle twice, to save memory."""

    def __init__(self, *between: nn.Module) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(12, 8), Block(*between), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.last(checkpoint(self.middle, self.first(x), use_reentrant=False))
        return result


class TwoInputs(nn.Module):
    """Two inputs, the second one tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.body = nn.Embedding(7, 6), layers()

    def forward(self, x: Tensor, word: Tensor) -> Tensor:
        result: Tensor = self.body(torch.cat([x, self.words(word)], dim=1))
        return result


class ReturnsRecord(TwoInputs):
    """Its output is a dict."""

    def forward(self, x: Tensor, word: Tensor) -> Any:
        logits = super().forward(x, word)
        return {"logits": logits, "hidden": logits * 2}


class ByFunction(nn.Module):
    """Dropout by a function, which draws torch's own random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(12, 8), nn.ReLU()), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(F.dropout(self.body(x), 0.2, self.training))
        return result


class Rebound(nn.Module):
    """A running mean that is bound anew in each call, and taken away in eval mode."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(12, 8), nn.ReLU()), nn.Linear(8, 5)
        self.register_buffer("mean", torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.body(x)
        if self.training:
            self.mean = 0.5 * self.mean + 0.5 * hidden.detach().mean(dim=0)
        result: Tensor = self.head(hidden - self.mean)
        return result


class Half(nn.Module):
    """A layer and a call."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layer(x)) - 0.1


class HalfStanding(Half):
    """A layer and a module."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.act(self.layer(x)) - 0.1
        return result


class Calling(nn.Module):
    """Activations that are calls, in three spellings, one in place; a block of it is used twice."""

    part: type[nn.Module] = Half

    def __init__(self) -> None:
        super().__init__()
        self.first, self.block, self.head = nn.Linear(12, 8), self.part(), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x), inplace=True)
        x = self.block(x).relu() + self.block(torch.relu(x))
        result: Tensor = self.head(x)
        return result


class Standing(Calling):
    """The same with modules in the places of the calls."""

    part = HalfStanding

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.ReLU(inplace=True), nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(self.first(x))
        x = self.two(self.block(x)) + self.block(self.three(x))
        result: Tensor = self.head(x)
        return result


class Encoder(nn.Module):
    """torch's transformer, whose activation is a function in an attribute."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, activation="relu", batch_first=True)
        self.body, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(x.view(-1, 3, 4)).flatten(1))
        return result


class Unrolled(nn.Module):
    """A recurrent loop: as many calls as there are steps."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.Linear(3 + 8, 8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), 8)
        for step in x.view(-1, 4, 3).unbind(1):
            state = torch.relu(self.cell(torch.cat([step, state], 1)))
        result: Tensor = self.head(state)
        return result


class CheckpointedMethod(Calling):
    """Its second half is computed again in the backward pass, where calls of the method are not led anywhere."""

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(checkpoint(self._half, self.first(x), use_reentrant=False))
        return result

    def _half(self, x: Tensor) -> Tensor:
        return torch.relu(self.block(F.relu(x)))


class PairsOf(Dataset[tuple[Tensor, int]]):
    """A dataset that gives one pair at a time."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.x[index], int(self.y[index])


def numbers(part: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator("cpu").manual_seed(len(part))
    x = torch.randn(EXAMPLES, 12, generator=generator)
    return x, torch.randint(5, (EXAMPLES,), generator=generator)


def with_words(part: str) -> tuple[tuple[Tensor, Tensor], Tensor]:
    x, y = numbers(part)
    return (x[:, :6], (y + x[:, 0].gt(0)) % 7), y


def by_name(part: str) -> tuple[dict[str, Tensor], Tensor]:
    (x, word), y = with_words(part)
    return {"word": word, "x": x}, y


@dataclass(frozen=True, slots=True)
class Own:
    """A network with its data.

    Args:
        make: the network.
        data: of a part.
        stacked: a stack can hold it.
    """

    make: Callable[[], nn.Module]
    data: Callable[[str], Any] = numbers
    stacked: bool = True


NETWORKS: dict[str, Own] = {
    "plain layers": Own(layers),
    "batch norm": Own(lambda: layers(nn.BatchNorm1d(8))),
    "batch norm, mean over all": Own(lambda: layers(nn.BatchNorm1d(8, momentum=None)), stacked=False),
    "dropout": Own(lambda: layers(nn.Dropout(0.3))),
    "dropout and batch norm": Own(lambda: layers(nn.Dropout(0.3), nn.BatchNorm1d(8), nn.AlphaDropout(0.2))),
    "dropout by a function": Own(ByFunction, stacked=False),
    "lstm": Own(Recurrent, stacked=False),
    "looks at values": Own(LooksAtValues, stacked=False),
    "checkpointed": Own(Checkpointed, stacked=False),
    "checkpointed, with dropout": Own(lambda: Checkpointed(nn.Dropout(0.3)), stacked=False),
    "tuple": Own(TwoInputs, with_words),
    "dict": Own(TwoInputs, by_name),
    "returns a dict": Own(ReturnsRecord, by_name),
    "buffer bound anew": Own(Rebound, stacked=False),
    "calls": Own(Calling),
    "calls, as modules": Own(Standing),
    "a function in an attribute": Own(Encoder),
    "a loop of calls": Own(Unrolled),
    "TensorDataset": Own(layers, lambda part: TensorDataset(*numbers(part))),
    "Dataset of pairs": Own(layers, lambda part: PairsOf(*numbers(part))),
}


class OwnTask(Task):
    """A task of one of them."""

    batch_size = 32
    learning_rates: tuple[float, ...] = (1e-3, 1e-2)

    def __init__(self, kind: str, **settings: object) -> None:
        self.name, self.own = kind, NETWORKS[kind]
        for setting, value in settings.items():
            setattr(self, setting, value)

    def network(self) -> nn.Module:
        return self.own.make()

    def data(self, part: str) -> Any:
        return self.own.data(part)
