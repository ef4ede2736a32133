"""A user's network keeps what is its own: each model of a stack equals a plain loop in torch, tensor by tensor."""

from __future__ import annotations

import copy
import functools
import itertools
import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import weight_norm as weight_norm_by_hook
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from evaluators.errors import TaskError
from evaluators.tasks.tryout import try_out
from evaluators.training.initialisation import initial_network
from evaluators.training.member import CohortMember, Schedule
from evaluators.training.plain import PlainModel
from evaluators.training.stacking.stack import Stack
from primitives.expression.parsing import parse
from tests.evaluators_tests.families import Family
from tests.evaluators_tests.plain_loop import trained

SEEDS, RATES, STEPS = (1, 2), (1e-3, 1e-2), 5


class Own(Family):
    """Random data, and a network that the test brings."""

    def __init__(self, network: Callable[[], nn.Module], **settings: object) -> None:
        super().__init__("mlp", **settings)
        self.make = network

    def network(self) -> nn.Module:
        return self.make()


def layers(*first: nn.Module) -> nn.Sequential:
    """Twelve inputs, five classes, and what comes first."""
    return nn.Sequential(*first, nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 5))


def frozen_layer() -> nn.Module:
    network = layers()
    network[2].requires_grad_(False)
    return network


class Scaled(nn.Module):
    """A factor for each input, of any type, trained or frozen."""

    def __init__(self, dtype: torch.dtype, trained: bool = True) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.rand(12, dtype=dtype), requires_grad=trained)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.factor).float()


class DoubleHead(nn.Module):
    """A last layer in float64, as where float32 is too coarse."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 8), nn.ReLU())
        self.head = nn.Linear(8, 5, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(x).double())
        return result


class Tied(nn.Module):
    """One weight in two layers, there and back, and a third use by a function."""

    def __init__(self, frozen: bool = False) -> None:
        super().__init__()
        self.there, self.back, self.act = nn.Linear(12, 12), nn.Linear(12, 12), nn.ReLU()
        self.back.weight = self.there.weight
        self.there.weight.requires_grad_(not frozen)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.back(self.act(self.there(x)))
        result: Tensor = self.head(F.linear(x, self.there.weight))
        return result


def normed(norm: Callable[[nn.Module], nn.Module]) -> nn.Module:
    network = layers()
    network[0], network[2] = norm(network[0]), norm(network[2])
    return network


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "frozen layer": frozen_layer,
    "frozen first parameter": lambda: layers(Scaled(torch.float32, trained=False)),
    "float64 parameter": lambda: layers(Scaled(torch.float64)),
    "half parameter": lambda: layers(Scaled(torch.float16)),
    "frozen bfloat16 parameter": lambda: layers(Scaled(torch.bfloat16, trained=False)),
    "float64 head": DoubleHead,
    "tied": Tied,
    "tied and frozen": lambda: Tied(frozen=True),
    "weight_norm": lambda: normed(weight_norm),
    "weight_norm by a hook": lambda: normed(weight_norm_by_hook),
}


def stack_of(chosen: Own) -> Stack:
    return Stack(chosen, "search", [CohortMember(parse("relu(x)"), SEEDS)], Schedule(STEPS, (), RATES))


def check(chosen: Own) -> None:
    """A stack and the plain trainer give what the loop gives: losses of all steps, validation, every tensor."""
    stack = stack_of(chosen)
    losses, validation = stack.advance(STEPS), stack.loss("validation")
    for place, (seed, rate) in enumerate((seed, rate) for seed in SEEDS for rate in RATES):
        network, expected, last = trained(chosen, seed, rate, STEPS)
        torch.testing.assert_close(losses[:, place].tolist(), expected, rtol=1e-4, atol=0)
        torch.testing.assert_close(validation[place].item(), last, rtol=1e-4, atol=0)
        own = stack.state | stack.fixed
        for name, weight in network.named_parameters():
            assert (name in stack.state) == weight.requires_grad
            half = weight.dtype in (torch.float16, torch.bfloat16)
            tolerance = 2e-3 if half else 1e-5
            torch.testing.assert_close(own[name][place].detach(), weight.detach(), rtol=tolerance, atol=tolerance)
        model = PlainModel(chosen, "search", parse("relu(x)"), seed=seed, rate=rate, steps=STEPS)
        torch.testing.assert_close(model.advance(STEPS), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning", "ignore:There is a performance drop.*_weight_norm")
def test_parameters_equal_a_plain_loop(kind: str) -> None:
    check(Own(NETWORKS[kind], optimiser="sgd", clip=0.1))
    if kind != "half parameter":  # torch's Adam makes it NaN: its epsilon is 0 there
        check(Own(NETWORKS[kind]))


@pytest.mark.parametrize("kind", ["frozen layer", "tied and frozen", "frozen bfloat16 parameter"])
def test_what_is_frozen_does_not_move_by_a_bit(kind: str) -> None:
    chosen = Own(NETWORKS[kind])
    stack = stack_of(chosen)
    stack.advance(STEPS)
    assert stack.fixed
    for place, seed in enumerate(seed for seed in SEEDS for _ in RATES):
        at_first = dict(initial_network(chosen, seed).named_parameters())
        for name, tensor in stack.fixed.items():
            assert torch.equal(tensor[place], at_first[name])


@pytest.mark.parametrize("norm", [spectral_norm, nn.utils.spectral_norm])
@pytest.mark.filterwarnings("ignore:.*spectral_norm.*:FutureWarning")
def test_spectral_norm_trains_whether_stacked_or_not(norm: Callable[[nn.Module], nn.Module]) -> None:
    chosen = Own(lambda: normed(norm))
    try_out(chosen)
    _, expected, last = trained(chosen, 1, RATES[0], STEPS)
    model = PlainModel(chosen, "search", parse("relu(x)"), seed=1, rate=RATES[0], steps=STEPS)
    torch.testing.assert_close(model.advance(STEPS), expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(model.loss("validation"), last, rtol=1e-4, atol=0)


def test_a_network_without_anything_to_train_is_refused() -> None:
    with pytest.raises(TaskError, match="no parameter to train: expected one with requires_grad=True"):
        try_out(Own(lambda: layers().requires_grad_(False)))


class Features(nn.Module):
    """Random features of twelve inputs, drawn once, and what is the same for all seeds beside them."""

    drawn: Tensor
    order: Tensor
    marker: Tensor

    def __init__(self, trained: int = 8) -> None:
        super().__init__()
        self.register_buffer("drawn", torch.randn(12, trained))
        self.register_buffer("order", torch.randperm(trained), persistent=False)
        self.register_buffer("marker", torch.full((trained,), 2.0))  # a name that our slots have, too
        self.body = nn.Sequential(nn.Linear(trained, 8), nn.ReLU(), nn.Linear(8, 5))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.body((x @ self.drawn)[:, self.order] * self.marker)
        return result


def test_each_seed_has_its_own_buffers() -> None:
    chosen = Own(Features)
    check(chosen)
    stack = stack_of(chosen)
    assert stack.fixed.keys() == {"drawn", "order"}
    try_out(chosen)


def test_a_lone_seed_has_the_bits_that_it_has_in_company() -> None:
    chosen = Own(Features)
    together = stack_of(chosen)
    alone = Stack(chosen, "search", [CohortMember(parse("relu(x)"), SEEDS[1:])], Schedule(STEPS, (), RATES))
    assert torch.equal(together.advance(STEPS)[:, len(RATES) :], alone.advance(STEPS))


def test_buffers_go_along_when_a_stack_shrinks_rests_and_is_restored() -> None:
    chosen = Own(Features)
    members = [CohortMember(parse("tanh(x)"), SEEDS), CohortMember(parse("relu(x)"), SEEDS)]
    schedule = Schedule(STEPS, (), RATES)
    stack = Stack(chosen, "search", members, schedule)
    stack.advance(2)
    with stack.alone(1, 0) as models:
        inside = models.loss("validation")
    stack.keep([1], [(1,)])
    restored = Stack(chosen, "search", members, schedule)
    restored.keep([1], [(1,)])
    for tensor in restored.fixed.values():
        tensor.zero_()
    restored.restore(copy.deepcopy(stack.saved()))
    for place, seed in enumerate(SEEDS):
        for rate, found in ((RATES[0], inside), (RATES[1], stack.loss("validation"))):
            model = PlainModel(chosen, "search", parse("relu(x)"), seed=seed, rate=rate, steps=STEPS)
            model.advance(2)
            torch.testing.assert_close(found[place].item(), model.loss("validation"), rtol=1e-5, atol=0)
    assert torch.equal(restored.advance(STEPS), stack.advance(STEPS))


class Holding(nn.Module):
    """Layers, and something in a plain attribute."""

    def __init__(self, make: Callable[[nn.Module], object]) -> None:
        super().__init__()
        self.body = layers()
        self.held = make(self.body)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.body(x)
        return result


class Counting(Features):
    """Counts its calls in a buffer, in place or by a new one."""

    calls: Tensor

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.in_place = in_place
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.in_place:
            self.calls += 1
        else:
            self.calls = self.calls + 1
        return super().forward(x)


def drawn_closure(_: nn.Module) -> Callable[[], Tensor]:
    drawn = torch.randn(3)
    return lambda: drawn


def drawn_size() -> int:
    return 8 + int(torch.randint(1000, ()))


#: What keeps a stack from being used.
UNLIKE: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "tensor": (lambda: Holding(lambda _: torch.randn(3)), r"held is no parameter and no buffer.*register_buffer"),
    "tensor in a list": (lambda: Holding(lambda _: [{"a": torch.randn(3)}]), r"held\.0\.a is no parameter"),
    "array": (lambda: Holding(lambda _: torch.randn(3).numpy()), "held is no parameter"),
    "closure": (lambda: Holding(drawn_closure), r"held\.drawn is no parameter"),
    "partial": (lambda: Holding(lambda _: functools.partial(max, torch.randn(3))), r"held\.args\.0 is no parameter"),
    "view of a weight": (lambda: Holding(lambda body: next(body.parameters()).detach().T), "held is no parameter"),
    "number": (lambda: Holding(lambda _: torch.rand(()).item()), r"held differs from seed to seed \(0\.\d+, then 0"),
    "width": (
        lambda: Features(drawn_size()),
        r"drawn differs from seed to seed \(\(12, \d+\) of float32, then \(12, \d+\) of",
    ),
    "depth": (
        lambda: layers(*[nn.Identity() for _ in range(drawn_size())]),
        r"the network differs from seed to seed \(\d+, then \d+\)",
    ),
}
_NUMBERS = itertools.count()
REFUSED = {
    "numpy's numbers": (
        lambda: Holding(lambda _: np.random.default_rng().random()),
        r"made twice with one seed, held differs \(0.*draw with torch's random numbers",
    ),
    "rounding": (
        lambda: Holding(lambda _: 1.0 + 1e-6 * torch.tensor(next(_NUMBERS) % 2)),
        "made twice with one seed, held differs, by 1e-06 at most: what computes it rounds differently",
    ),
}
ALLOWED: dict[str, Callable[[], nn.Module]] = {
    "layers under a second name": lambda: Holding(lambda body: list(body.children())),
    "a constant": lambda: Holding(lambda _: (torch.ones(3), math.nan, "text", nn.ReLU, math, lambda x: x)),
    "frozen": frozen_layer,
    "weight_norm": lambda: normed(weight_norm),
    "weight_norm by a hook": lambda: normed(weight_norm_by_hook),
    "counts in place": lambda: Counting(True),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_no_seed_decides_is_refused_by_name(kind: str) -> None:
    network, message = REFUSED[kind]
    with pytest.raises(TaskError, match=f"task 'mlp': network: .*{message}"):
        try_out(Own(network))


@pytest.mark.parametrize("kind", UNLIKE)
def test_what_a_stack_would_share_in_silence_trains_one_at_a_time(kind: str) -> None:
    network, message = UNLIKE[kind]
    (note,) = try_out(Own(network))
    assert re.search(f"task 'mlp': its models are trained one at a time.*{message}", note)


@pytest.mark.parametrize("kind", ALLOWED)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning", "ignore:There is a performance drop.*_weight_norm")
def test_what_does_no_harm_is_let_through(kind: str) -> None:
    assert not any("one at a time" in note for note in try_out(Own(ALLOWED[kind])))
