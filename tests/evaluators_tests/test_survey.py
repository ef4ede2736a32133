"""A survey finds modules and calls of any network, and a candidate put there is what the network computes with."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.places.rehearsal import rehearse
from evaluators.places.survey import find_sites, survey
from primitives.errors import ExpressionError
from tests.evaluators_tests.families import Family

X = torch.randn(4, 6, 8, generator=torch.Generator().manual_seed(0))


class Calls(nn.Module):
    """Calls of several kinds and spellings, and an activation that calls one, too."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.first, self.act, self.second = nn.Linear(8, 16), act, nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.first(x), approximate="tanh")
        x = self.act(x) + torch.sigmoid(x)
        return torch.tanh(self.second(torch.relu(x)).relu())


class Quick(nn.Module):
    """An activation of somebody's, named as such, that calls a sigmoid."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class QuickGELU(Quick):
    """A name that another package has, too."""


class GELU(nn.Module):
    """torch's name, and another class."""

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x)


class Rectified(nn.Module):
    """A name that says nothing, and a call that does."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) ** 2


class Attention(nn.Module):
    """No activation: a module without parts whose outputs mix their inputs."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) / (1e-3 + F.relu(x).sum(self.dim, keepdim=True))


def paths(network: nn.Module, replaced: Any = None, x: Any = X) -> list[str]:
    return [site.path for site in find_sites(network, Family("mlp", replaced=replaced), x)]


OWN = ["gelu#1", "relu#1", "relu#2"]


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (nn.SiLU(), [*OWN, "act"]),
        (GELU(), [*OWN, "act"]),
        (QuickGELU(), [*OWN, "act"]),
        (Rectified(), [*OWN, "act"]),
        (nn.Tanh(), OWN),
        (nn.Softplus(), OWN),
        (Quick(), OWN),
        (nn.Identity(), OWN),
        (nn.Dropout(0.1), OWN),
        (Attention(), [*OWN, "act.relu#1", "act.relu#2"]),
        (Attention(dim=1), [*OWN, "act.relu#1", "act.relu#2"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_like_relu_is_found(act: nn.Module, expected: list[str]) -> None:
    assert paths(Calls(act)) == expected


@pytest.mark.parametrize(
    ("replaced", "expected"),
    [
        ((F.gelu,), ["gelu#1"]),
        ((torch.relu, nn.Tanh), ["relu#1", "relu#2", "act"]),
        ((Tensor.tanh,), ["tanh#1"]),
        (("relu#2",), ["relu#2"]),
        (("*#1",), ["gelu#1", "relu#1", "sigmoid#1", "tanh#1"]),
        (("act",), ["act"]),
    ],
)
def test_what_is_asked_for_is_found(replaced: Any, expected: list[str]) -> None:
    assert sorted(paths(Calls(nn.Tanh()), replaced)) == sorted(expected)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ((F.silu,), r"no silu for .*; activations: gelu#1 \(call of gelu\), .*replaced = \(F.gelu,\)"),
        (("relu#3",), "no relu#3 for .*; did you mean 'relu#[12]'"),
        ((torch.exp,), "expected a tuple of types of modules, patterns of names, and functions"),
        ((Attention,), "act is a Attention, which is not elementwise; a candidate is"),
    ],
)
def test_refusals(replaced: Any, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        paths(Calls(Attention()), replaced)


def test_where_nothing_is_like_relu_tanh_is_taken_and_else_what_is_there_is_named() -> None:
    assert paths(nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Sigmoid())) == ["1"]
    with pytest.raises(TaskError, match=r'found 1 \(Sigmoid\)\. Name what .* replaced = \("1",\)'):
        paths(nn.Sequential(nn.Linear(8, 8), nn.Sigmoid()))
    with pytest.raises(TaskError, match="found none"):
        paths(nn.Sequential(nn.Linear(8, 8)))


class Function(nn.Module):
    """A function in an attribute."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear, self.activation = nn.Linear(8, 8), function

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.linear(x))


class Twice(nn.Module):
    """One block at two places, so one set of calls."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Function(F.relu)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(F.elu(self.block(x)))


class ByMode(nn.Module):
    """More calls in train mode."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) + (F.relu(x + 1) if self.training else 0.0)


class Steps(nn.Module):
    """As many calls as the input has rows."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros_like(x[:, 0])
        for row in x.unbind(1):
            state = F.relu(self.cell(torch.cat([state, row], 1)))
        return state


class Layers(nn.Module):
    """A loop over layers, whatever the input's length."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = F.relu(layer(x))
        return x


class Slopes(nn.Module):
    """Derivatives by coordinates, taken within the network."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        slopes = torch.func.vmap(torch.func.grad(lambda point: self.body(point).square().sum()))
        result: Tensor = slopes(x.flatten(0, 1))
        return result


class Rows(nn.Module):
    """A call for each example."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([F.relu(row) for row in x])


class Counts(nn.Module):
    """A call on whole numbers, and one that writes into another tensor."""

    def forward(self, x: Tensor) -> Tensor:
        bound = torch.empty_like(x)
        with torch.no_grad():
            torch.tanh(x, out=bound)
        return F.relu(x) + bound + F.relu(torch.arange(8) - 4)


class Direct(nn.Module):
    """A child called as a module, and its ``forward`` called by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Function(F.relu)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.block.forward(self.block(x))
        return result


class Again(nn.Module):
    """A ``forward`` that calls itself."""

    def forward(self, x: Tensor, depth: int = 2) -> Tensor:
        x = F.relu(x)
        return self.forward(x - 0.1, depth - 1) if depth else x


class Listed(nn.Module):
    """A module that is called out of a list of its own: what stands in the attribute is not what is called."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.act = nn.Linear(8, 8), nn.ReLU()
        self.layers = [self.linear, self.act]

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Hooked(nn.Module):
    """Hooks that make calls: these are not in the forward pass of the module that has the hooks."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Function(F.relu)
        self.block.register_forward_pre_hook(lambda module, inputs: (torch.relu(inputs[0] + 0.5),))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.block(x) - 0.1)


class Wrapper(nn.Module):
    """Attributes that it has not are those of what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Function(F.relu)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.inner(x) - 0.1)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Rows(), ["relu#all"]),
        (Counts(), ["relu#1"]),
        (Direct(), ["block.relu#1"]),
        (Again(), ["relu#1"]),
        (Listed(), ["relu#1"]),
        (Hooked(), ["relu#1", "relu#2", "block.relu#1"]),
        (Wrapper(), ["relu#1", "inner.relu#1"]),
        (Slopes(Function(F.silu)), ["body.silu#1"]),
        (Slopes(nn.Sequential(nn.Linear(8, 8), GELU())), ["body.1"]),
        (Function(F.silu), ["silu#1"]),
        (Function(lambda x: F.relu(x)), ["relu#1"]),
        (Twice(), ["elu#1", "block.relu#1"]),
        (ByMode(), ["relu#all"]),
        (Steps(), ["relu#all"]),
        (Layers(), ["relu#1", "relu#2", "relu#3"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_calls_are_numbered_in_the_forward_pass_of_their_module(network: nn.Module, expected: list[str]) -> None:
    assert paths(network) == expected


@pytest.mark.parametrize(
    "network",
    [
        Function(F.silu),
        Slopes(Function(F.silu)),
        Twice(),
        ByMode(),
        Steps(),
        Layers(),
        Calls(nn.SiLU()),
        Rows(),
        Counts(),
        Direct(),
        Again(),
        Listed(),
        Hooked(),
        Wrapper(),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("training", [True, False])
def test_what_is_put_there_is_computed_with(network: nn.Module, training: bool) -> None:
    calls: list[int] = []

    class Counted(nn.Module):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def forward(self, x: Tensor) -> Tensor:
            calls.append(self.number)
            return torch.relu(x)

    network = copy.deepcopy(network)
    before = network.train(training)(X)
    sites = find_sites(network, Family("mlp"), X)
    assert network.training == training
    assert torch.equal(network(X), before)
    for number, site in enumerate(sites):
        site.put(Counted(number))
    after = network(X)
    assert set(calls) == set(range(len(sites)))
    if not isinstance(network, Calls | Function | Twice | Slopes):
        assert torch.equal(after, before)


def test_what_stays_is_said_with_its_reason() -> None:
    network = Calls(nn.Tanh())
    network.unused = nn.ReLU()
    found = survey(network, Family("mlp"), X)
    assert [(site.path, why.split(";")[0]) for site, why in found.others] == [
        ("sigmoid#1", "of another kind"),
        ("tanh#1", "of another kind"),
        ("act", "of another kind"),
        ("unused", "never used"),
    ]


class Clamped(nn.Module):
    """A ReLU that is written as a bound."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x.clamp(min=0) + torch.maximum(x, torch.zeros_like(x)))


def test_aliases_are_not_followed_and_are_listed() -> None:
    assert survey(nn.Sequential(Clamped()), Family("mlp"), X).aliases == (("0", "clamp"), ("0", "maximum"))


def test_buffers_modes_and_random_numbers_stay() -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5))
    network[1].eval()
    before, state = {k: v.clone() for k, v in network.state_dict().items()}, torch.random.get_rng_state()
    find_sites(network, Family("mlp"), X)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [module.training for module in network] == [True, False, True, True]


class Noting(nn.Module):
    """An activation that counts its calls, and draws."""

    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls = self.calls + 1
        return F.relu(x) + 0 * torch.rand_like(x)


def test_an_activation_with_a_buffer_that_draws_stays_as_it_was() -> None:
    network, state = nn.Sequential(nn.Linear(8, 8), Noting()), torch.random.get_rng_state()
    assert paths(network) == ["1"]
    assert network[1].calls == 0
    assert torch.equal(torch.random.get_rng_state(), state)


class Drops(nn.Module):
    """Layers that are left out at random in train mode."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            if not self.training or torch.rand(()) > 0.3:
                x = F.relu(x)
        return x


def test_what_is_found_does_not_depend_on_global_random_numbers() -> None:
    found = set()
    for seed in range(8):
        torch.manual_seed(seed)
        found.add(tuple(paths(Drops())))
    assert len(found) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, while it compiles
def test_parts_that_are_compiled_are_looked_into() -> None:
    inner = Calls(nn.ReLU())
    compiled: Any = torch.compile(inner, backend="eager")
    network = nn.Sequential(nn.Linear(8, 8), compiled)
    sites = find_sites(network, Family("mlp"), X)
    assert [site.attribute for site in sites] == ["gelu#1", "relu#1", "relu#2", "act"]
    for site in sites:
        site.put(nn.Softsign())
    with torch.no_grad():
        x = F.softsign(inner.first(network[0](X)))
        x = F.softsign(x) + torch.sigmoid(x)
        expected = torch.tanh(F.softsign(inner.second(F.softsign(x))))
        torch.testing.assert_close(network(X), expected)


class Chain(nn.Sequential):
    """Runs over its children, and calls a function."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x + super().forward(x))  # type: ignore[no-untyped-call]


class ByType(nn.Module):
    """Looks at the type of what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8), nn.ReLU()])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x) if not isinstance(layer, nn.ReLU) else 2.0 * layer(x)
        return x


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Chain(nn.Linear(8, 8), nn.Linear(8, 8)), r"0\.tanh#1: a module that calls all its"),
        (ByType(), r"0\.layers\.1: with modules there that compute the same .*isinstance"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_network_that_would_not_compute_with_what_is_placed_is_refused(network: nn.Module, message: str) -> None:
    whole, task = nn.Sequential(network), Family("mlp")
    before = {path: type(module) for path, module in whole.named_modules()}
    found = survey(whole, task, X)
    with pytest.raises(TaskError, match=message):
        rehearse(whole, task, found.sites, X)
    assert {path: type(module).__name__ for path, module in whole.named_modules()} == {
        path: kind.__name__ for path, kind in before.items()
    }


@pytest.mark.parametrize(
    "network", [Function(F.silu), Slopes(Function(F.silu)), Twice(), ByMode(), Steps(), Layers(), Calls(nn.SiLU())]
)
def test_a_rehearsal_lets_other_networks_through(network: nn.Module) -> None:
    network = copy.deepcopy(network)
    rehearse(network, Family("mlp"), find_sites(network, Family("mlp"), X), X)


class Normalises(nn.Module):
    """Writes into its weights, and into a buffer that it binds anew."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.layer.weight.div_(self.layer.weight.norm())
        self.count = self.count + 1
        return F.relu(self.layer(x))


def test_weights_that_a_forward_pass_writes_into_stay() -> None:
    network = Normalises()
    before = copy.deepcopy(network.state_dict())
    found = find_sites(network, Family("mlp"), X)
    rehearse(network, Family("mlp"), found, X)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_hooks_of_a_users_stay_on_what_takes_a_modules_place() -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    network[1].register_forward_hook(lambda module, args, output: 2.0 * output)
    network[1].register_forward_pre_hook(lambda module, args: (args[0] + 1.0,))
    sites = find_sites(network, Family("mlp"), X)
    rehearse(network, Family("mlp"), sites, X)
    sites[0].put(nn.Softsign())
    assert torch.equal(network(X), 2.0 * F.softsign(network[0](X) + 1.0))


class BySpelling(nn.Module):
    """One call that writes in train mode alone."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x * 1.0, inplace=self.training)


def test_a_call_that_writes_in_some_passes_alone_is_refused() -> None:
    with pytest.raises(ExpressionError, match=r"0: .*test_survey.py, line \d+: relu writes into its input in some"):
        find_sites(nn.Sequential(BySpelling()), Family("mlp"), X)


class Rare(nn.Module):
    """Calls an activation for large inputs alone."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) if x.abs().max() > 100 else x


class Around(nn.Module):
    """As many calls of its own as the input has rows, and one of a child's in some passes."""

    def __init__(self) -> None:
        super().__init__()
        self.rare, self.cell = Rare(), Steps()

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x[:, 0])
        for row in x.unbind(1):
            total = F.relu(total + self.rare(row))
        return total


def test_a_call_that_no_pass_has_shown_is_not_taken_for_the_one_around_it() -> None:
    network = Around()
    (site,) = find_sites(network, Family("mlp"), X)
    assert site.path == "relu#all"
    site.put(nn.Softsign())
    x = 200.0 * X
    expected = torch.zeros_like(x[:, 0])
    for row in x.unbind(1):
        expected = F.softsign(expected + (F.relu(row) if row.abs().max() > 100 else row))
    assert torch.equal(network(x), expected)
