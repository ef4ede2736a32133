"""Which networks and losses the native engine takes for chains, whoever wrote them, and what it makes of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.tasks.base import Part, Task
from evaluators.training.chains.chain import Kind
from evaluators.training.chains.chains import found
from tests.evaluators_tests.families import FAMILIES, Family

K = Kind


class Made(Task):
    """Six numbers, three classes, and a network that is given."""

    name = "made"

    def __init__(self, make: Callable[[], nn.Module], loss: Callable[..., Tensor] | None = None) -> None:
        self.make, self.own = make, loss

    def network(self) -> nn.Module:
        return self.make()

    def data(self, part: Part) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(3 + (part == "search"))
        inputs = torch.randn(96, 6, generator=generator)
        return inputs, inputs[:, :3] if self.own else torch.randint(3, (96,), generator=generator)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return self.own(output, target) if self.own else super().loss(output, target)


class Net(nn.Module):
    """Layers with a forward pass that is given."""

    scales: Tensor

    def __init__(self, forward: Callable[[Net, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.norm, self.act, self.quiet = nn.LayerNorm(8), nn.ReLU(), nn.ReLU(inplace=True)
        self.shift, self.wide = nn.Parameter(torch.zeros(8)), nn.Parameter(torch.randn(8, 3) / 3)
        self.register_buffer("scales", torch.linspace(0.5, 2.0, 6))
        self.own = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.own(self, x)


def added(net: Net, x: Tensor) -> Tensor:
    h = net.first(x)
    branch = net.middle(net.act(h))
    branch += h
    return net.last(branch)


CHAINS: dict[str, tuple[Callable[[Net, Tensor], Tensor], list[Kind]]] = {
    "module": (lambda n, x: n.last(n.act(n.first(x))), [K.LINEAR, K.ACTIVATION, K.LINEAR]),
    "in place": (lambda n, x: n.last(n.quiet(n.first(x))), [K.LINEAR, K.ACTIVATION, K.LINEAR]),
    "functions": (lambda n, x: F.linear(F.relu(n.first(x)), n.last.weight), [K.LINEAR, K.ACTIVATION, K.LINEAR]),
    "matrix": (lambda n, x: n.act(n.first(x)) @ n.wide, [K.LINEAR, K.ACTIVATION, K.LINEAR]),
    "bias apart": (
        lambda n, x: n.last(n.act(x @ n.first.weight.t() + n.shift)),
        [K.LINEAR, K.BIAS, K.ACTIVATION, K.LINEAR],
    ),
    "norm": (lambda n, x: n.last(n.act(n.norm(n.first(x)))), [K.LINEAR, K.NORM, K.ACTIVATION, K.LINEAR]),
    "residual": (
        lambda n, x: n.last(torch.add(h := n.first(x), n.act(n.middle(h)), alpha=0.5)),
        [K.LINEAR, K.LINEAR, K.ACTIVATION, K.SUM, K.LINEAR],
    ),
    "added in place": (added, [K.LINEAR, K.ACTIVATION, K.LINEAR, K.SUM, K.LINEAR]),
    "twice": (
        lambda n, x: n.last(n.act(n.middle(n.act(n.middle(n.first(x)))))),
        [K.LINEAR, K.LINEAR, K.ACTIVATION, K.LINEAR, K.ACTIVATION, K.LINEAR],
    ),
    "tokens": (
        lambda n, x: n.act(n.middle(n.first(x)).view(-1, 2, 4)).flatten(1) @ n.wide,
        [K.LINEAR, K.LINEAR, K.ACTIVATION, K.LINEAR],
    ),
    "other functions": (
        lambda n, x: n.last(n.act(F.leaky_relu(n.first(x), 0.2).tanh() * 2 - 1)),
        [K.LINEAR, *[K.ACTIVATION] * 5, K.LINEAR],
    ),
    "inputs made before": (
        lambda n, x: n.last(n.act(n.first(torch.sin(x.flip(1)) * n.scales))),
        [K.LINEAR, K.ACTIVATION, K.LINEAR],
    ),
    "two layers": (lambda n, x: n.last(n.middle(n.act(n.first(x)))), [K.LINEAR, K.ACTIVATION, K.LINEAR, K.LINEAR]),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_a_network_is_a_chain_however_it_is_written(name: str) -> None:
    forward, kinds = CHAINS[name]
    own = found(Made(lambda: Net(forward)), "search", current=False)
    assert own.chain is not None, own.reason
    assert [step.kind for step in own.chain.steps] == kinds
    assert (own.prepared is None) == (name != "inputs made before")


@pytest.mark.parametrize("name", CHAINS)
def test_a_network_as_it_stands_is_a_chain_too(name: str) -> None:
    forward, kinds = CHAINS[name]
    own = found(Made(lambda: Net(forward)), "search", current=True)
    assert own.chain is not None and [step.kind for step in own.chain.steps] == kinds
    assert all(step.slot is None for step in own.chain.steps)


OTHERS: dict[str, tuple[Callable[[Net, Tensor], Tensor], str]] = {
    "dropout": (lambda n, x: n.last(F.dropout(n.act(n.first(x)), 0.5)), "no parameter"),
    "product": (lambda n, x: n.last(n.act(n.first(x)) * n.middle(n.first(x))), "mul"),
    "mean over the batch": (lambda n, x: n.last((h := n.act(n.first(x))) - h.mean(0)), "mean"),
    "turned round": (lambda n, x: n.last(n.act(n.first(x)).view(-1, 2, 4).transpose(1, 2).flatten(1)), "transpose"),
    "examples mixed": (lambda n, x: n.last(n.act(n.first(x)).flatten().roll(8).view(-1, 8)), "roll"),
    "chance": (lambda n, x: n.last(n.act(n.first(x + torch.randn_like(x)))), "chance"),
    "two looks at the inputs": (lambda n, x: n.last(n.act(n.first(x))) + x[:, :3], "slice"),
    "two things of the inputs": (lambda n, x: n.last(n.act(n.first(2 * x) + n.first(3 * x))), "inputs"),
    "a weight that is made": (lambda n, x: n.last(n.act(F.linear(x, 2 * n.first.weight))), "mul"),
    "a factor by the batch": (lambda n, x: len(x) * n.last(n.act(n.first(x))), "depend"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_chain_is_named(name: str) -> None:
    forward, reason = OTHERS[name]
    own = found(Made(lambda: Net(forward)), "search", current=False)
    assert own.chain is None
    assert reason in own.reason


def test_modules_that_are_none() -> None:
    batch_norm = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    dropout = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 3))
    still = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.0), nn.Linear(8, 3))
    assert "batch_norm" in found(Made(lambda: batch_norm), "search", current=False).reason
    assert "dropout" in found(Made(lambda: dropout), "search", current=False).reason
    assert found(Made(lambda: still), "search", current=False).chain is not None


LOSSES: dict[str, tuple[Callable[..., Tensor], float | None]] = {
    "mean": (lambda y, t: (y - t).square().mean(dim=1), 1 / 3),
    "sum": (lambda y, t: F.mse_loss(y, t, reduction="none").sum(dim=1), 1.0),
    "huber": (lambda y, t: F.huber_loss(y, t, reduction="none", delta=20.0).mean(dim=1), None),
    "absolute": (lambda y, t: (y - t).abs().mean(dim=1), None),
    "clamped": (lambda y, t: (y - t).square().mean(dim=1).clamp(max=500.0), None),
    "half": (lambda y, t: 0.5 * (y - t).square().mean(dim=1), None),
    "raises": (lambda y, t: y[:, 7], None),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_squared_error_is_known_by_its_numbers(name: str) -> None:
    loss, scale = LOSSES[name]
    own = found(Made(lambda: Net(CHAINS["module"][0]), loss), "search", current=False)
    assert own.loss is None if scale is None else own.loss is not None and own.loss.scale == scale


def test_cross_entropy_is_known_and_its_variants_are_not() -> None:
    task = Made(lambda: Net(CHAINS["module"][0]))
    assert (own := found(task, "search", current=False).loss) is not None and own.scale is None
    for name, value in (("label_smoothing", 0.1), ("class_weights", [1.0, 2.0, 1.0])):
        other = Made(lambda: Net(CHAINS["module"][0]))
        setattr(other, name, value)
        assert found(other, "search", current=False).loss is None


@pytest.mark.parametrize("family", FAMILIES)
def test_families_are_chains_or_say_why_not(family: str) -> None:
    own = found(Family(family), "search", current=False)
    assert (own.chain is None) == bool(own.reason)
