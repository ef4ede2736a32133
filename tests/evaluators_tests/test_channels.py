"""Channels of places: followed from the layers before, else guessed, and that is said; slots and layers use them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.machine.backend import Backend
from evaluators.places.site import Site
from evaluators.places.survey import find_sites
from evaluators.tasks.base import Task
from evaluators.tasks.place import Place
from evaluators.tasks.tryout import try_out
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse

SWISH = "x*sigmoid(beta*x); beta=1.0:channel"


class Net(nn.Module):
    """What is before a ReLU, called ``act``; then the mean over positions, so that classes come out."""

    def __init__(self, before: Callable[[Tensor], Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.before, self.layers, self.act = before, nn.ModuleList(layers), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.before(x))


def site(before: Callable[[Tensor], Tensor], x: Tensor) -> Site:
    """The only site of a network that computes ``before``."""
    (found,) = find_sites(Net(before), Asks(), x)
    return found


class Asks(Task):
    """A task of which ``replaced`` is asked alone."""

    name = "asks"

    def __init__(self, *replaced: type[nn.Module] | str | Place) -> None:
        self.replaced = replaced or (nn.ReLU,)

    def network(self) -> nn.Module:
        raise NotImplementedError

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


SOUND, IMAGE, VIDEO, TOKENS = (torch.randn(2, *rest) for rest in ((3, 8), (3, 8, 8), (3, 4, 4, 4), (5, 8)))
CONV1, CONV2, CONV3 = nn.Conv1d(3, 6, 3, padding=1), nn.Conv2d(3, 6, 3, padding=1), nn.Conv3d(3, 6, 1)
LINEAR, WIDE, NORM = nn.Linear(8, 24), nn.Linear(6, 24), nn.LayerNorm(6)
ATTENTION, LSTM = nn.MultiheadAttention(8, 2, batch_first=True), nn.LSTM(8, 6, batch_first=True)
WEIGHT = nn.Parameter(torch.ones(24))


def nhwc(x: Tensor) -> Tensor:
    return WIDE(NORM(CONV2(x).permute(0, 2, 3, 1)))


def gated(x: Tensor) -> Tensor:
    y = CONV2(x)
    return y * torch.sigmoid(F.adaptive_avg_pool2d(y, 1))


def heads(x: Tensor) -> Tensor:
    return LINEAR(x).unflatten(-1, (4, 6)).transpose(1, 2)


KNOWN: dict[str, tuple[Callable[[Tensor], Tensor], Tensor, int, int]] = {
    "conv1d": (CONV1, SOUND, 6, -2),
    "conv3d": (CONV3, VIDEO, 6, -4),
    "a function": (lambda x: F.conv1d(x, CONV1.weight), SOUND, 6, -2),
    "transposed convolution": (nn.ConvTranspose2d(3, 5, 2), IMAGE, 5, -3),
    "channels last": (nhwc, IMAGE, 24, -1),
    "residual sum": (lambda x: CONV2(x) + CONV2(x), IMAGE, 6, -3),
    "sum with numbers": (lambda x: 1 - 2 * CONV1(x) ** 2, SOUND, 6, -2),
    "sum with a parameter": (lambda x: LINEAR(x) * WEIGHT, TOKENS, 24, -1),
    "in place": (lambda x: CONV1(x).mul_(2).add_(1), SOUND, 6, -2),
    "moved in place": (lambda x: CONV1(x).transpose_(1, 2), SOUND, 6, -1),
    "gate": (gated, IMAGE, 6, -3),
    "dropout": (lambda x: F.dropout(CONV1(x)), SOUND, 6, -2),
    "batch norm": (nn.Sequential(CONV1, nn.BatchNorm1d(6)), SOUND, 6, -2),
    "a norm alone": (nn.GroupNorm(1, 3), SOUND, 3, -2),
    "layer norm": (nn.LayerNorm(8), TOKENS, 8, -1),
    "layer norm of images": (nn.Sequential(CONV2, nn.LayerNorm([6, 8, 8])), IMAGE, 6, -3),
    "activation": (nn.Sequential(CONV1, nn.GELU(), nn.Hardswish(), nn.LogSigmoid()), SOUND, 6, -2),
    "pooling": (nn.Sequential(CONV2, nn.MaxPool2d(2), nn.AvgPool2d(3, 1, 1)), IMAGE, 6, -3),
    "linear": (LINEAR, TOKENS, 24, -1),
    "linear on one example at a time": (torch.func.vmap(LINEAR), TOKENS[0], 24, -1),
    "attention": (lambda x: ATTENTION(x, x, x)[0], TOKENS, 8, -1),
    "lstm": (lambda x: LSTM(x)[0], TOKENS, 6, -1),
    "embedding": (lambda x: nn.Embedding(9, 7)(x.abs().long()), TOKENS, 7, -1),
    "positions in one": (lambda x: CONV2(x).flatten(2), IMAGE, 6, -2),
    "positions in one, transposed": (lambda x: CONV2(x).flatten(2).transpose(1, 2), IMAGE, 6, -1),
    "view": (lambda x: CONV2(x).view(2, 6, 4, 16), IMAGE, 6, -3),
    "mean over positions": (lambda x: CONV2(x).mean((2, 3)), IMAGE, 6, -1),
    "half of the channels": (lambda x: CONV2(x).chunk(2, dim=1)[0], IMAGE, 3, -3),
    "one token": (lambda x: LINEAR(x)[:, 0], TOKENS, 24, -1),
    "joined": (lambda x: torch.cat([CONV2(x), CONV2(x)], dim=1), IMAGE, 12, -3),
    "rows": (lambda x: x @ torch.ones(8, 4), torch.randn(3, 8), 4, -1),
    "no dimension": (lambda x: x.sum(), TOKENS, 1, -1),
    "one dimension": (lambda x: x[0, 0], TOKENS, 1, -1),
}
GUESSED: dict[str, tuple[Callable[[Tensor], Tensor], Tensor, int, int]] = {
    "input": (lambda x: x, SOUND, 8, -1),
    "einsum": (lambda x: torch.einsum("bct->btc", CONV1(x)), SOUND, 6, -1),
    "heads": (heads, TOKENS, 4, -3),
    "split channels": (lambda x: CONV1(x).reshape(2, 3, 2, 8), SOUND, 3, -3),
    "shuffled": (lambda x: nn.PixelShuffle(2)(nn.Conv2d(3, 8, 1)(x)), IMAGE, 2, -3),
    "two that disagree": (lambda x: CONV1(x)[..., :6] + nn.Linear(8, 6)(x).mean(1, keepdim=True), SOUND, 6, -1),
    "video": (lambda x: x, VIDEO, 3, -4),
}


@pytest.mark.parametrize("kind", KNOWN)
def test_channels_follow_from_the_layers_before(kind: str) -> None:
    before, x, channels, dim = KNOWN[kind]
    found = site(before, x)
    assert (found.inputs.channels, found.inputs.channel_dim, found.inputs.known, found.inputs.differ) == (
        channels,
        dim,
        True,
        False,
    )


@pytest.mark.parametrize("kind", GUESSED)
def test_what_does_not_follow_is_guessed(kind: str) -> None:
    before, x, channels, dim = GUESSED[kind]
    found = site(before, x)
    assert (found.inputs.channels, found.inputs.channel_dim, found.inputs.known) == (channels, dim, False)


@pytest.mark.parametrize("declared", [1, -2])
def test_what_the_task_says_holds(declared: int) -> None:
    cases: tuple[Callable[[Tensor], Tensor], ...] = (lambda x: x, CONV1, lambda x: CONV1(x).transpose(1, 2))
    for before in cases:
        (found,) = find_sites(Net(before), Asks(Place("act", channel_dim=declared)), SOUND)
        assert (found.inputs.channels, found.inputs.channel_dim, found.inputs.known) == (
            before(SOUND).shape[1],
            -2,
            True,
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Place(3), "match: expected a type of modules, a pattern of names, or a function, got 3"),  # type: ignore[arg-type]
        (lambda: Place("act", channel_dim="last"), "a whole number, as 1 or -1, got 'last'"),  # type: ignore[arg-type]
    ],
)
def test_a_place_that_says_nothing_is_refused(make: Callable[[], Place], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        make()


class Sound(Task):
    """Classes of sounds of 3 channels and length 8."""

    name = "sound"
    batch_size, learning_rates, initial, scale = 32, (1e-2,), "drawn", "unit"

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        self.make = make

    def network(self) -> nn.Module:
        return self.make()

    def data(self, part: str) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(len(part))
        return torch.randn(128, 3, 8, generator=generator), torch.randint(5, (128,), generator=generator)


class Turned(nn.Module):
    """Channels last, or behind a product that loses them."""

    def __init__(self, *, lost: bool) -> None:
        super().__init__()
        self.lost = lost

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bct->btc", x) if self.lost else x.mT


class Repeated(nn.Module):
    """One activation for 6 channels in dimension 1 and for 5 in the last."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.act = nn.Conv1d(3, 6, 3, padding=1), nn.Linear(8, 5), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.second(self.act(self.first(x)))).mean(1)


class Mean(nn.Module):
    """Over the positions of (N, L, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


def convolutions() -> nn.Module:
    first, second = nn.Conv1d(3, 6, 3, padding=1), nn.Conv1d(6, 6, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(48, 5))


def turned(*, lost: bool) -> nn.Module:
    first = nn.Conv1d(3, 6, 3, padding=1)
    return nn.Sequential(first, Turned(lost=lost), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), Mean())


NETWORKS: dict[str, tuple[Callable[[], nn.Module], list[int]]] = {
    "convolutions": (convolutions, [6, 6]),
    "followed": (lambda: turned(lost=False), [6, 5]),
    "guessed": (lambda: turned(lost=True), [6, 5]),
    "repeated": (Repeated, [1]),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_stack_equals_one_model_at_a_time(kind: str) -> None:
    make, channels = NETWORKS[kind]
    task, steps, double = Sound(make), 20, Backend(dtype=torch.float64)
    member = CohortMember(parse(SWISH), (1, 2))
    stack = Stack(task, "search", [member], Schedule(steps, (), task.learning_rates), backend=double)
    models = [
        PlainModel(task, "search", member.expression, seed=seed, rate=1e-2, steps=steps, backend=double)
        for seed in member.seeds
    ]
    plain = torch.tensor([model.advance(steps) for model in models], dtype=torch.float64)
    torch.testing.assert_close(stack.advance(steps), plain.T, rtol=0, atol=1e-9)
    assert [slot.values[0].shape for slot in stack.activations] == [(2, n) for n in channels]
    betas = [[p for path, p in model.network.named_parameters() if path.endswith("beta")] for model in models]
    for number, slot in enumerate(stack.activations):
        own = torch.stack([of_model[number].detach() for of_model in betas])
        torch.testing.assert_close(slot.values[0], own, rtol=0, atol=1e-9)
        assert (own != 1).all()


def test_what_is_guessed_is_said() -> None:
    for kind in ("convolutions", "followed"):
        assert try_out(Sound(NETWORKS[kind][0])) == ()
    (note,) = try_out(Sound(NETWORKS["guessed"][0]))
    assert "the channels of 2 does not follow from the layers before; dimension -1 is taken" in note
    assert "Place(name, channel_dim=...)" in note
    declared = Sound(NETWORKS["guessed"][0])
    declared.replaced = (Place("2", channel_dim=-1), nn.ReLU)
    assert try_out(declared) == ()
    (note,) = try_out(Sound(Repeated))
    assert "the inputs of act differ in their channels from call to call" in note
