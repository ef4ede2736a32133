"""Sites: by type and by name, one for each place, and clear refusals."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.places.survey import find_sites
from evaluators.tasks.place import Place
from tests.evaluators_tests.families import Family

X = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))


class Own(nn.Module):
    """A user's activation."""

    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


class Net(nn.Module):
    """Activations of several kinds; ``shared`` lies at two places, ``twice`` is called on 8 and on 4 channels."""

    def __init__(self) -> None:
        super().__init__()
        shared = nn.GELU()
        self.late = nn.Sequential(nn.Linear(8, 8), nn.PReLU())
        self.features = nn.Sequential(nn.Linear(8, 16), shared, nn.Linear(16, 8), shared, nn.BatchNorm1d(8), Own())
        self.twice = nn.Tanh()
        self.unused = nn.SiLU()
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.twice(self.head(self.twice(self.features(self.late(x)))))


def found(*replaced: type[nn.Module] | str | Place) -> list[tuple[str, int]]:
    sites = find_sites(Net(), Family("mlp", replaced=replaced), X)
    return [(site.path, site.inputs.channels) for site in sites]


@pytest.mark.parametrize(
    ("replaced", "expected"),
    [
        ((nn.GELU,), [("features.1", 16), ("features.3", 8)]),
        (("features.1",), [("features.1", 16)]),
        (("features.[13]", nn.PReLU), [("late.1", 8), ("features.1", 16), ("features.3", 8)]),
        ((Own,), [("features.5", 8)]),
        (("*.5", nn.ReLU), [("features.5", 8)]),
        ((Place("late.1"), Place(nn.GELU, channel_dim=0)), [("late.1", 8), ("features.1", 4), ("features.3", 4)]),
        ((nn.Tanh,), [("twice", 1)]),
    ],
)
def test_what_is_found(replaced: tuple[type[nn.Module] | str | Place, ...], expected: list[tuple[str, int]]) -> None:
    assert found(*replaced) == expected


def test_each_site_gets_its_own_module_and_the_rest_stays() -> None:
    network = Net()
    before = dict(network.named_modules())
    statistics = network.get_buffer("features.4.running_mean").clone()
    for site in find_sites(network, Family("mlp", replaced=(nn.GELU,)), X):
        site.put(nn.PReLU(site.inputs.channels))
    assert network.features[1] is not network.features[3]
    assert [len(network.get_parameter(f"features.{n}.weight")) for n in (1, 3)] == [16, 8]
    assert all(network.get_submodule(path) is module for path, module in before.items() if path != "features.1")
    assert torch.equal(network.get_buffer("features.4.running_mean"), statistics)
    assert network.training
    network(X)


def test_probing_leaves_no_trace() -> None:
    network = Net()
    find_sites(network, Family("mlp", replaced=(nn.GELU,)), X)
    assert isinstance(network.features[1], nn.GELU)
    assert network.features[1] is network.features[3]


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        (
            (nn.ReLU,),
            r"no ReLU for .*activations: late.1 \(PReLU\), features.1 \(GELU\), features.3 \(GELU\), feat.*5 \(Own\)",
        ),
        ((nn.ReLU, nn.ELU), "no ReLU or ELU for"),
        ((nn.GELU, "feature.1"), r"no feature.1 for the candidate to replace; did you mean 'features.1'"),
        ((), r"replaced: expected a tuple of types of modules, .* got \(\)"),
        (nn.ReLU, "got <class 'torch.nn.modules.activation.ReLU'>"),
        ("features.1", "got 'features.1'"),
        (("features.*",), "features.0 is a Linear, no activation"),
        (("late",), "late is a Sequential, no activation"),
        ((nn.SiLU,), "unused is never used"),
        ((Place(nn.GELU, channel_dim=2),), r"channel_dim=2\): expected a dimension of its input, got .* \(4, 16\)"),
    ],
)
def test_refusals(replaced: object, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        find_sites(Net(), Family("mlp", replaced=replaced), X)


@pytest.mark.parametrize(
    "module",
    [nn.Softmax(-1), nn.LogSoftmax(-1), nn.Softmin(-1), nn.Softmax2d(), nn.GLU(), nn.MultiheadAttention(8, 2)],
    ids=lambda module: type(module).__name__,
)
def test_what_is_not_elementwise_is_no_place(module: nn.Module) -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), module)
    message = rf"2 is a {type(module).__name__}, which is not elementwise; .* are modules: 1 \(Tanh\)$"
    for replaced in (("2",), (type(module),), ("?",)):
        with pytest.raises(TaskError, match=message if replaced != ("?",) else "0 is a Linear, no activation"):
            find_sites(network, Family("mlp", replaced=replaced), X)


def test_a_module_of_two_widths_is_one_site() -> None:
    assert found(nn.Tanh) == [("twice", 1)]


class Sequences(nn.Module):
    """torch's encoder as the body of a network."""

    def __init__(self, activation: str | nn.Module) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation=activation, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.encoder(x[:, None].expand(-1, 5, -1))
        return result


@pytest.mark.parametrize("kind", [nn.ReLU, nn.GELU])
def test_a_fused_layer_calls_what_is_put_there(kind: type[nn.Module]) -> None:
    network = Sequences(kind())
    sites = find_sites(network, Family("mlp", replaced=(kind,)), X)
    assert [(site.path, site.inputs.channels) for site in sites] == [
        ("encoder.layers.0.activation", 16),
        ("encoder.layers.1.activation", 16),
    ]
    for site in sites:
        site.put(nn.Softsign())
    expected = network(X)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(X), expected)


def test_a_copy_of_a_decoder_keeps_what_is_put_there() -> None:
    decoder = nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, activation=nn.ReLU())
    network = nn.Sequential(OneInput(decoder))
    for site in find_sites(network, Family("mlp"), X):
        site.put(nn.Softsign())
    assert torch.equal(copy.deepcopy(network)(X), network(X))


class OneInput(nn.Module):
    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.decoder(x, x)
        return result


@pytest.mark.parametrize(("activation", "kind"), [("relu", nn.ReLU), ("gelu", nn.GELU)])
def test_a_function_of_a_layer_is_a_place(activation: str, kind: type[nn.Module]) -> None:
    network = Sequences(activation)
    with pytest.raises(TaskError, match=rf"no {kind.__name__} for .* replaced = \(F.{activation},\)"):
        find_sites(network, Family("mlp", replaced=(kind,)), X)
    sites = find_sites(network, Family("mlp"), X)
    assert [site.path for site in sites] == [f"encoder.layers.{n}.{activation}#1" for n in (0, 1)]
    for site in sites:
        site.put(nn.Softsign())
    expected = network(X)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(X), expected)
