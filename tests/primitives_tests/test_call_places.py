"""Calls as places: a child takes the place of the call, wherever the network goes then."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from primitives.errors import ExpressionError
from primitives.expression.parsing import parse
from primitives.layers.activation import Activation
from primitives.layers.call_kinds import kind_of_call
from primitives.layers.call_places import Standing, lead_calls
from primitives.layers.in_place import InPlace

Act = Callable[[Tensor], Tensor]


class Block(nn.Module):
    """Two calls of its own, one in each spelling, and a module that calls the same function."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.act = nn.Linear(8, 8), nn.Linear(8, 8), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x) + 0.1)
        return self.act(self.second(x) - 0.1).add(0.2).relu()


class Net(nn.Module):
    """A block at two places, checkpointed at one, and a call of its own around it."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Block()

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.block(x) - 0.3)
        if torch.compiler.is_compiling():
            return self.block(x)
        return checkpoint(self.block, x, use_reentrant=False)


def by_hand(network: Net, acts: list[Act], x: Tensor) -> Tensor:
    """What :class:`Net` computes with ``acts`` in the places of its calls: two of the block, one of its own."""

    def block(x: Tensor) -> Tensor:
        x = acts[0](network.block.first(x) + 0.1)
        return acts[1](torch.relu(network.block.second(x) - 0.1) + 0.2)

    return block(acts[2](block(x) - 0.3))


def placed() -> tuple[Net, list[Act]]:
    torch.manual_seed(0)
    network = Net().double()
    acts = [Activation(parse(text)).double() for text in ("x*sigmoid(b*x); b=1.5", "sin(x)", "tanh(x)+b*x; b=0.1")]
    lead_calls(network, {"relu": 1})
    lead_calls(network.block, {"relu": 2})
    lead_calls(network.block.act, {"relu": 1})
    network.block.add_module("relu#1", acts[0])
    network.block.add_module("relu#2", acts[1])
    network.add_module("relu#1", acts[2])
    return network, list(acts)


def x() -> Tensor:
    return torch.randn(4, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_values_and_gradients_are_those_of_the_network_by_hand() -> None:
    network, acts = placed()
    expected = by_hand(network, acts, x())
    wanted = torch.autograd.grad(expected.sum(), list(network.parameters()))
    for mode in (True, False):
        actual = network.train(mode)(x())
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=0)
        gradients = torch.autograd.grad(actual.sum(), list(network.parameters()))
        torch.testing.assert_close(gradients, wanted, rtol=1e-12, atol=1e-15)
    with torch.no_grad():
        torch.testing.assert_close(network(x()), expected, rtol=1e-12, atol=0)


def test_copies_pickles_and_state_dicts_keep_the_places() -> None:
    network, acts = placed()
    expected = by_hand(network, acts, x())
    fresh = placed()[0]
    for weight in fresh.parameters():
        nn.init.zeros_(weight)
    fresh.load_state_dict(network.state_dict())
    assert {"relu#1.b", "block.relu#1.b"} < set(network.state_dict())
    for each in (copy.deepcopy(network), pickle.loads(pickle.dumps(network)), copy.copy(network), fresh):
        assert isinstance(each, Net)
        assert torch.equal(each(x()), expected)
    copied = copy.deepcopy(network)
    nn.init.zeros_(copied.get_parameter("relu#1.b"))
    assert not torch.equal(copied(x()), expected)
    assert torch.equal(network(x()), expected)


def test_it_is_stacked_by_vmap() -> None:
    block, inputs = placed()[0].block, torch.stack([x(), 2 * x()])
    expected = torch.stack([block(each) for each in inputs])

    def call(x: Tensor) -> Tensor:
        weights = {name: weight.detach() for name, weight in block.named_parameters()}
        return torch.func.functional_call(block, weights, (x,))

    with torch.no_grad():
        actual = torch.func.vmap(call)(inputs)
    torch.testing.assert_close(actual, expected.detach(), rtol=1e-12, atol=0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, while it compiles
def test_it_compiles_whole_and_is_exported() -> None:
    network, acts = placed()
    expected = by_hand(network, acts, x())
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x()), expected, rtol=1e-12, atol=0)
    exported = torch.export.export(network.block, (x(),)).module()
    torch.testing.assert_close(exported(x()), network.block(x()), rtol=1e-12, atol=0)


def test_without_a_child_a_call_stays() -> None:
    torch.manual_seed(0)
    network = Net()
    expected = network(x().float())
    for module in list(network.modules()):
        lead_calls(module, {"relu": 2})
    assert torch.equal(network(x().float()), expected)
    network.block.add_module("relu#2", Standing())
    assert torch.equal(network(x().float()), expected)


class Loop(nn.Module):
    """As many calls as the input has columns."""

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x[:, 0])
        for column in x.unbind(1):
            total = F.relu(total + column)
        return total


def test_one_child_stands_for_all_calls_and_more_than_were_seen_are_refused() -> None:
    network = Loop()
    lead_calls(network, {"relu": 8})
    network.add_module("relu#all", nn.Tanh())
    expected = torch.zeros(4, dtype=torch.float64)
    for column in x().unbind(1):
        expected = torch.tanh(expected + column)
    assert torch.equal(network(x()), expected)
    network = Loop()
    lead_calls(network, {"relu": 7})
    network.add_module("relu#7", nn.Tanh())
    with pytest.raises(ExpressionError, match=r"Loop: expected 7 calls of relu in a forward pass, .* got 8"):
        network(x())


class Writes(nn.Module):
    """A call that the skip connection sees."""

    def __init__(self, call: Act) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        y = x * 1.0
        return self.call(y) + y


@pytest.mark.parametrize(
    "call", [torch.relu_, F.relu_, Tensor.relu_, lambda x: F.relu(x, inplace=True), lambda x: F.relu(x, True)]
)
def test_calls_that_write_are_a_kind_of_their_own(call: Act) -> None:
    network = Writes(call)
    lead_calls(network, {"relu_": 1})
    network.add_module("relu_#1", InPlace(nn.Softsign()))
    torch.testing.assert_close(network(x()), 2 * F.softsign(x()))


class Remade(nn.Module):
    """Its class makes copies anew."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def __deepcopy__(self, memo: dict[int, object]) -> Remade:
        made = type(self)()
        made.load_state_dict(self.state_dict())
        return made

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.linear(x))


def test_a_copy_that_its_class_would_make_anew_keeps_the_places() -> None:
    network = Remade()
    lead_calls(network, {"relu": 1})
    network.add_module("relu#1", Activation(parse("sin(b*x); b=2")))
    copied = copy.deepcopy(network)
    assert torch.equal(copied(x().float()), torch.sin(2 * network.linear(x().float())))
    assert not {*map(id, copied.parameters())} & {*map(id, network.parameters())}


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "kind"),
    [
        (F.relu, (), {}, "relu"),
        (torch.relu, (), {}, "relu"),
        (Tensor.relu, (), {}, "relu"),
        (F.leaky_relu, (0.2, True), {}, "leaky_relu_"),
        (F.gelu, (), {"approximate": "tanh"}, "gelu"),
        (F.silu, (), {"inplace": True}, "silu_"),
        (torch.tanh, (), {}, "tanh"),
        (torch.special.expit, (), {}, "sigmoid"),
        (torch.exp, (), {}, ""),
        (F.softmax, (-1,), {}, "softmax"),
        (torch.mul, (2.0,), {}, ""),
        (torch.mul, (torch.ones(8),), {}, "mul"),
        (Tensor.mul_, (torch.ones(8),), {}, "mul_"),
        (F.log_softmax, (), {}, ""),
        (torch.tanh, (), {"out": torch.empty(4, 8, dtype=torch.float64)}, ""),
    ],
)
def test_all_spellings_have_one_name(
    function: Act, args: tuple[object, ...], kwargs: dict[str, object], kind: str
) -> None:
    assert kind_of_call(function, (x(), *args), kwargs) == kind


def test_a_forward_that_is_not_the_classes_is_refused() -> None:
    network = Block()
    network.forward = lambda x: F.relu(x)  # type: ignore[method-assign]
    with pytest.raises(ExpressionError, match="Block: its forward is not that of its class, so its calls of relu"):
        lead_calls(network, {"relu": 1})
