"""Labels, data and losses that would make every candidate fail, or look too good, are refused with the right value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.evaluate import evaluate
from evaluators.tasks.base import Task
from evaluators.tasks.tryout import try_out


class Numbered(Task):
    """Two classes by the sign of the first input; the test changes the data."""

    name = "numbered"
    batch_size = 32
    outputs = 2

    def __init__(self, change: Callable[[Tensor, Tensor], object] = lambda x, y: None, part: str = "search") -> None:
        self.change, self.part = change, part

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, self.outputs))

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x = torch.randn(96, 2, generator=torch.Generator("cpu").manual_seed(len(part)), device="cpu")
        y = (x[:, 0] > 0).long()
        if part == self.part:
            self.change(x, y)
        return x, y


class Tokens(Numbered):
    """Five classes at each of three places."""

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 15), nn.ReLU(), nn.Unflatten(1, (3, 5)))

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x, y = super().data(part)
        y = y[:, None].repeat(1, 3)
        if part == self.part:
            y[-1, 1] = 7
        return x, y


class Squared(Numbered):
    """A regression with a loss of its own, and its labels as targets."""

    outputs = 1

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output[:, 0] - target.to(output.dtype)).square()


class Logarithmic(Squared):
    """The same, by the target's logarithm."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return super().loss(output, (target + 1).log())


class Softened(Numbered):
    """The default loss inside a loss of its own."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return super().loss(output / 2, target)


def put(which: int, place: object, value: float) -> Callable[[Tensor, Tensor], None]:
    def change(*data: Tensor) -> None:
        data[which][place] = value  # type: ignore[index]

    return change


LABELS = r"data: expected labels from 0 to 1, as the network has 2 outputs, but "
REFUSED: list[tuple[Task, str]] = [
    (Numbered(lambda x, y: y.add_(1)), LABELS + "those of the search go from 1 to 2; subtract 1 from each"),
    (Numbered(lambda x, y: y.sub_(1)), LABELS + "those of the search go from -1 to 0; add 1 to each"),
    (Numbered(put(1, 95, 2)), LABELS + "those of the search go from 0 to 2; the last layer needs 3 outputs"),
    (Numbered(put(1, 95, 40)), LABELS + ".*from 0 to 40; the last layer needs 41 outputs"),
    (Numbered(put(1, 95, -7)), LABELS + ".*from -7 to 1; number them from 0"),
    (Numbered(put(1, 3, 15), "confirmation"), LABELS + "those of the confirmation go from 0 to 15"),
    (Numbered(put(1, 95, -100)), LABELS + "the search has -100, torch's ignore_index.*write loss"),
    (Tokens(), r"data: expected labels from 0 to 4, as the network has 5 outputs, but .*go from 0 to 7"),
    (Numbered(put(0, (17, 1), float("nan"))), "data: .*finite inputs, but those of the search have NaN at example 17"),
    (
        Numbered(put(0, (40, 0), float("inf")), "confirmation"),
        "data: .*inputs.*confirmation have an infinite number.*example 40",
    ),
    (
        Logarithmic(put(1, 90, -1)),
        "loss: expected finite numbers, but it is inf for example 90 of the search, whose target is -1, before any",
    ),
    (Softened(put(1, 95, 2)), "loss: expected finite numbers, but it is inf for example 95.*whose target is 2"),
]


@pytest.mark.parametrize(("task", "message"), REFUSED)
def test_refused_by_name(task: Task, message: str) -> None:
    with pytest.raises(TaskError, match=rf"task '\w+': {message}"):
        try_out(task)


class Far(Squared):
    """Targets that float32 does not hold."""

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x, y = super().data(part)
        return x, y.double() * 1e39


class Unknown(Squared):
    """A target that is missing."""

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        x, y = super().data(part)
        return x, torch.where(torch.arange(96) == 5, torch.nan, y.float())


@pytest.mark.parametrize(
    ("task", "what"), [(Far(), r"one too large for float32, at example \d"), (Unknown(), "NaN at")]
)
def test_targets_that_are_numbers(task: Task, what: str) -> None:
    with pytest.raises(TaskError, match=f"expected finite targets, but those of the search have .*{what}"):
        try_out(task)


@pytest.mark.parametrize("task", [Numbered(), Squared(), Softened(), Squared(lambda x, y: y.sub_(100))])
def test_what_is_right_is_let_through(task: Task) -> None:
    try_out(task)


def test_python_refuses_it_too() -> None:
    with pytest.raises(TaskError, match="go from 1 to 2; subtract 1"):
        evaluate(["tanh(x)"], Numbered(lambda x, y: y.add_(1)), seeds=2, steps=2)


class Two(nn.Module):
    """Takes two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return torch.relu(self.layer(x + z))


class Own(Task):
    """A network and data of the test's, the same way for both parts."""

    name = "own"
    batch_size = 32

    def __init__(self, change: Callable[[Tensor, Tensor], Any], make: Callable[[], Any] | None = None) -> None:
        self.change, self.make = change, make or Numbered().network

    def network(self) -> nn.Module:
        return self.make()

    def data(self, part: str) -> Any:
        return self.change(*Numbered().data(part))


class FewConfirm(Own):
    """Enough examples for the search alone."""

    def data(self, part: str) -> Any:
        x, y = Numbered().data(part)
        return (x[:45], y[:45]) if part == "search" else (x[:43], y[:43])


def same(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return x, y


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Own(lambda x, y: (x.numpy(), y)), r"inputs: expected a tensor, got a numpy array; torch\.from_numpy\(array\)"),
        (Own(lambda x, y: (x, y.int())), r"expected int64 labels, got torch\.int32; targets\.long\(\) makes them"),
        (Own(lambda x, y: (x, y.float())), r"expected int64 labels, got torch\.float32; write loss\(output, target\)"),
        (
            Own(lambda x, y: (x, torch.eye(2).long()[y])),
            r"of shape \(examples\), .* got \(examples, 2\); targets.argmax",
        ),
        (Own(lambda x, y: {"x": x, "y": y}), "data: expected a pair, inputs and targets, or a Dataset, got a dict"),
        (Own(lambda x, y: (x, x, y)), "data: expected a pair, inputs and targets, or a Dataset, got a tuple of 3"),
        (Own(lambda x, y: ({"inp": x}, y)), r"network\(inp=\.\.\.\), shapes \(32, 2\) .* fails: TypeError.*a dict for"),
        (
            Own(same, Two),
            r"network\(x\), shape \(32, 2\) of float32, fails: TypeError.*'z'.* a tuple for network\(\*x\)",
        ),
        (
            Own(same, lambda: nn.Linear(3, 2)),
            r"network\(x\), shape \(32, 2\) of float32, fails: .* cannot be multiplied",
        ),
        (Own(same, lambda: None), r"network: expected a torch\.nn\.Module, got None"),
        (Own(same, lambda: nn.Sequential(nn.LazyLinear(4), nn.ReLU())), "0.weight has no shape before a first call"),
        (Own(lambda x, y: (x[:44], y[:44])), "at least 45 examples in the search, of which 30 % validate .* got 44"),
        (FewConfirm(same), "at least 44 examples in the confirmation, .* 15 % test .* got 43"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_do(task: Task, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        try_out(task)


class MovesAlone(nn.Sequential):
    """Its ``to`` takes a device alone, as some packages' does."""

    def to(self, device: Any) -> Any:  # type: ignore[override]
        return super().to(device)


@pytest.mark.parametrize(
    "task",
    [
        Own(lambda x, y: (x.double(), y)),
        Own(lambda x, y: [x, y]),
        Own(lambda x, y: ((x, x), y), Two),
        Own(lambda x, y: ({"z": x, "x": x}, y), Two),
        Own(same, lambda: MovesAlone(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))),
        Own(lambda x, y: (x[:45], y[:45])),
    ],
)
def test_what_can_be_meant_is_taken(task: Task) -> None:
    assert try_out(task) == ()
