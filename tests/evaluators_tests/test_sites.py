"""Sites: by type and by name, one for each place, and clear refusals."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evaluators.errors import TaskError
from evaluators.training.sites import find_sites
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


def found(*replaced: type[nn.Module] | str) -> list[tuple[str, int]]:
    sites = find_sites(Net(), Family("mlp", replaced=replaced), X)
    return [(site.path, site.channels) for site in sites]


@pytest.mark.parametrize(
    ("replaced", "expected"),
    [
        ((nn.GELU,), [("features.1", 16), ("features.3", 8)]),
        (("features.1",), [("features.1", 16)]),
        (("features.[13]", nn.PReLU), [("late.1", 8), ("features.1", 16), ("features.3", 8)]),
        ((Own,), [("features.5", 8)]),
        (("*.5", nn.ReLU), [("features.5", 8)]),
    ],
)
def test_what_is_found(replaced: tuple[type[nn.Module] | str, ...], expected: list[tuple[str, int]]) -> None:
    assert found(*replaced) == expected


def test_each_site_gets_its_own_module_and_the_rest_stays() -> None:
    network = Net()
    before = dict(network.named_modules())
    statistics = network.get_buffer("features.4.running_mean").clone()
    for site in find_sites(network, Family("mlp", replaced=(nn.GELU,)), X):
        site.put(nn.PReLU(site.channels))
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
        ((nn.ReLU,), r"no ReLU for .*modules: late.1 \(PReLU\), features.1 \(GELU\), features.5 \(Own\).*F.relu"),
        ((nn.ReLU, nn.ELU), "no ReLU or ELU for"),
        ((nn.GELU, "feature.1"), r"no feature.1 for the candidate to replace; did you mean 'features.1'"),
        ((), r"replaced: expected a tuple of types and patterns .* got \(\)"),
        (nn.ReLU, "got <class 'torch.nn.modules.activation.ReLU'>"),
        ("features.1", "got 'features.1'"),
        (("features.*",), "features.0 is a Linear, no activation"),
        (("late",), "late is a Sequential, no activation"),
        ((nn.Tanh,), r"twice is used on \[4, 8\] channels; give each place a module of its own"),
        ((nn.SiLU,), "unused is never used"),
    ],
)
def test_refusals(replaced: object, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        find_sites(Net(), Family("mlp", replaced=replaced), X)
