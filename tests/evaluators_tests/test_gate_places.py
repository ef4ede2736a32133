"""Gates: f(x, z) takes the place of act(x) * z, wherever a network multiplies."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from evaluators.errors import TaskError
from evaluators.places.rehearsal import rehearse
from evaluators.places.site import Site
from evaluators.places.survey import find_sites
from evaluators.tasks.base import Replaced
from evaluators.tasks.place import Place
from primitives.errors import ExpressionError
from primitives.expression.parsing import parse
from primitives.layers.norm_activation import layer_of
from tests.evaluators_tests.families import Family

X = torch.randn(4, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class LlamaMLP(nn.Module):
    """As in transformers 5."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(8, 12, bias=False), nn.Linear(8, 12, bias=False)
        self.down_proj = nn.Linear(12, 8, bias=False)
        self.act_fn = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        down: Tensor = self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))
        return down


class NewGELU(nn.Module):
    """As NewGELUActivation there: it multiplies tensors, too."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x * (1.0 + torch.tanh(0.7978845608028654 * (x + 0.044715 * torch.pow(x, 3.0))))


class T5Gated(nn.Module):
    """As T5DenseGatedActDense in transformers 5."""

    def __init__(self) -> None:
        super().__init__()
        self.wi_0, self.wi_1, self.wo = (nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(12, 8))
        self.dropout, self.act = nn.Dropout(0.1), NewGELU()

    def forward(self, hidden_states: Tensor) -> Tensor:
        hidden_gelu = self.act(self.wi_0(hidden_states))
        hidden_linear = self.wi_1(hidden_states)
        hidden_states = self.dropout(hidden_gelu * hidden_linear)
        if hidden_states.dtype != self.wo.weight.dtype and self.wo.weight.dtype != torch.int8:
            hidden_states = hidden_states.to(self.wo.weight.dtype)
        result: Tensor = self.wo(hidden_states)
        return result


class Product(nn.Module):
    """Products of one layer's halves; others around them, with numbers and with tensors."""

    def __init__(self, of: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second, self.of, self.scale = (
            nn.Linear(8, 24),
            nn.Linear(12, 8),
            of,
            nn.Parameter(torch.ones(8)),
        )
        self.act, self.glu = nn.SiLU(), nn.GLU()

    def forward(self, x: Tensor) -> Tensor:
        one, two = self.first(2 * x * self.scale).chunk(2, dim=-1)
        result: Tensor = self.second(self.of(one, two)) * self.scale
        return result


def gate(one: Tensor, two: Tensor) -> Tensor:
    return two * F.silu(one)


class Own(nn.Module):
    """A module of two inputs."""

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return F.silu(x) * z


class Calling(nn.Module):
    """A block of some module between two layers, at two depths."""

    def __init__(self, block: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList([block(), block()])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(x)
        return x


class Given(nn.Module):
    """Calls a module with two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.gate = nn.Linear(8, 12), nn.Linear(8, 12), Own()
        self.last = nn.Linear(12, 8)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.last(self.gate(self.first(x), self.second(x)))
        return result


def put(network: nn.Module, replaced: Replaced, text: str) -> list[Site]:
    task = Family("mlp", replaced=replaced)
    sites = find_sites(network, task, X)
    rehearse(network, task, sites, X)
    for site in sites:
        layer = layer_of(parse(text), site.inputs.channels, channel_dim=site.inputs.channel_dim)
        site.put(layer.double())
    return sites


CASES: dict[str, tuple[Callable[[], nn.Module], Replaced, str]] = {
    "llama": (LlamaMLP, (Place("*.act_fn", kind="gate"),), "silu(x)*z"),
    "llama-type": (LlamaMLP, (Place(nn.SiLU, kind="gate"),), "silu(x)*z"),
    "call-second": (lambda: Product(gate), (Place(F.silu, kind="gate"),), "silu(x)*z"),
    "call-first": (lambda: Product(lambda x, z: F.gelu(x) * z), (Place(F.gelu, kind="gate"),), "gelu(x)*z"),
    "call-name": (lambda: Product(gate), (Place("*silu#1", kind="gate"),), "silu(x)*z"),
    "in-place": (lambda: Product(lambda x, z: F.silu(x).mul_(z)), (Place(F.silu, kind="gate"),), "silu(x)*z"),
    "two-inputs": (Given, (Place(Own, kind="gate"),), "silu(x)*z"),
    "glu-call": (
        lambda: Product(lambda x, z: F.glu(torch.cat((x, z), -1))),
        (Place(F.glu, kind="gate"),),
        "sigmoid(x)*z",
    ),
}


def made(block: Callable[[], nn.Module]) -> Calling:
    torch.manual_seed(1)
    return Calling(block).double()


@pytest.mark.parametrize("case", CASES)
def test_the_same_gate_gives_the_same_values_and_gradients(case: str) -> None:
    block, replaced, text = CASES[case]
    expected, network = made(block), made(block)
    sites = put(network, replaced, text)
    assert [(site.place_kind, site.inputs.channels) for site in sites] == [("gate", 12), ("gate", 12)]
    torch.testing.assert_close(network(X), expected(X), rtol=1e-12, atol=1e-12)
    wanted = torch.autograd.grad(expected(X).square().sum(), list(expected.parameters()))
    found = torch.autograd.grad(network(X).square().sum(), list(network.parameters()))
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)


def test_an_activation_that_multiplies_itself_and_another_gate() -> None:
    network, expected = made(T5Gated).eval(), made(T5Gated).eval()
    text = "0.5*x*(1+tanh(0.7978845608028654*(x+0.044715*x**3)))*z"
    put(network, (Place("layers.?.act", kind="gate"),), text)
    torch.testing.assert_close(network(X), expected(X), rtol=1e-12, atol=1e-12)
    network = made(T5Gated).eval()
    put(network, (Place("layers.?.act", kind="gate"),), "relu(x)*relu(z)")
    x = X
    for layer in expected.layers:
        assert isinstance(layer, T5Gated)
        x = x + layer.wo(F.relu(layer.wi_0(x)) * F.relu(layer.wi_1(x)))
    torch.testing.assert_close(network(X), x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dim", [-1, 1])
def test_halves(dim: int) -> None:
    """x is the half that goes through the sigmoid."""

    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.glu = nn.Linear(8, 16), nn.GLU(dim)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.glu(self.first(x))
            return result

    torch.manual_seed(0)
    network = Halves().double()
    expected = copy.deepcopy(network)(X)
    put(network, (Place(nn.GLU, kind="gate"),), "sigmoid(x)*z")
    torch.testing.assert_close(network(X), expected, rtol=1e-12, atol=1e-12)


def placed() -> Calling:
    network = made(lambda: Product(gate))
    put(network, (Place(F.silu, kind="gate"),), "sin(b*x)*z; b=1.5")
    return network


def of(x: Tensor, network: Calling, act: Callable[[Tensor], Tensor]) -> Tensor:
    for layer in network.layers:
        assert isinstance(layer, Product)
        one, two = layer.first(2 * x).chunk(2, dim=-1)
        x = x + layer.second(act(one) * two)
    return x


def test_they_are_children() -> None:
    network = placed()
    assert [name for name, _ in network.named_parameters() if name.endswith(".b")] == [
        "layers.0.mul#2.module.b",
        "layers.1.mul#2.module.b",
    ]
    expected = of(X, network, lambda x: torch.sin(1.5 * x))
    torch.testing.assert_close(network(X), expected, rtol=1e-12, atol=1e-12)
    copied = copy.deepcopy(network)
    copied.load_state_dict(network.state_dict())
    assert torch.equal(copied(X), network(X))


def test_a_network_of_modules_is_pickled() -> None:
    network = made(LlamaMLP)
    put(network, (Place(nn.SiLU, kind="gate"),), "sin(b*x)*z; b=1.5")
    assert torch.equal(pickle.loads(pickle.dumps(network))(X), network(X))


def test_they_are_mapped_and_checkpointed() -> None:
    network = made(LlamaMLP)
    put(network, (Place(nn.SiLU, kind="gate"),), "sin(b*x)*z; b=1.5")
    torch.testing.assert_close(torch.func.vmap(network)(X), network(X), rtol=1e-12, atol=1e-12)
    weights = list(network.parameters())
    plain = torch.autograd.grad(network(X).sum(), weights)
    x = X
    for layer in network.layers:
        x = x + checkpoint(layer, x, use_reentrant=False)
    assert all(map(torch.equal, plain, torch.autograd.grad(x.sum(), weights)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, while it compiles
@pytest.mark.parametrize(("block", "match"), [(LlamaMLP, nn.SiLU), (lambda: Product(gate), F.silu)])
def test_they_compile_whole(block: Callable[[], nn.Module], match: type[nn.Module] | Callable[..., Any]) -> None:
    network = made(block)
    put(network, (Place(match, kind="gate"),), "sin(b*x)*z; b=1.5")
    expected = network(X)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(X), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (lambda x, z: F.silu(x) + z, "layers.0.silu#1, of kind 'gate': expected a product that takes its output"),
        (lambda x, z: F.silu(x) * z.mean(-1, keepdim=True), "expected two factors of one shape"),
        (lambda x, z: (y := F.silu(x)) * z + y, "and nothing else, found layers.0.mul#2, a call of add"),
        (lambda x, z: F.silu(x) * F.silu(z), "are one place of kind 'gate'"),
        (lambda x, z: (y := F.silu(x)) * y, "its output is both factors"),
        (lambda x, z: F.silu(x) * z if torch.is_grad_enabled() else F.silu(x) * z * z, "number of products"),
    ],
)
def test_refusals(of: Callable[[Tensor, Tensor], Tensor], said: str) -> None:
    with pytest.raises(TaskError, match="replaced") as caught:
        put(made(lambda: Product(of)), (Place(F.silu, kind="gate"),), "silu(x)*z")
    assert said in str(caught.value)


class Looped(nn.Module):
    """As many products before the gate as there are tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        total = x.new_zeros(())
        for token in x.unbind(1):
            total = total + (token * token).mean()
        return F.silu(self.first(x)) * self.second(x) + total


def test_another_number_of_products_is_refused_on_call() -> None:
    network = Looped().double()
    put(network, (Place(F.silu, kind="gate"),), "silu(x)*z")
    network(X)
    for tokens in (3, 5):
        with pytest.raises(
            ExpressionError, match=f"Looped: expected 7 products in a forward pass, .* got {tokens + 1}"
        ):
            network(X[:, :tokens])
