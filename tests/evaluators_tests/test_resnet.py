"""The residual networks against plain torch written here: sizes, numbers, initial weights, and what is trained."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators import evaluate
from evaluators.networks import resnet
from evaluators.tasks import task
from evaluators.tasks.optimisers import SGD
from primitives.layers.replacing import replace

RESNETS = ("digits-resnet", "mnist1d-resnet")


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_it_has_the_published_sizes() -> None:
    """He et al. 2016, table 6: 0.27, 0.46, 0.66, 0.85 and 1.7 million; the first by hand, too."""
    published = {3: 0.27, 5: 0.46, 7: 0.66, 9: 0.85, 18: 1.7}
    for blocks, millions in published.items():
        network = resnet(3, 16, blocks, 10)
        assert parameters(network) == pytest.approx(1e6 * millions, rel=0.025)
        layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        assert len(layers) == 6 * blocks + 2
    assert parameters(resnet(3, 16, 3, 10)) == 269_722


def by_hand(state: dict[str, Tensor], x: Tensor, blocks: int) -> Tensor:
    """The paper's network in functions, in training, from the weights in order."""
    tensors = iter(state.values())

    def convolved(x: Tensor, stride: int) -> Tensor:
        weight, scale, shift = next(tensors), next(tensors), next(tensors)
        x = (F.conv2d if x.dim() == 4 else F.conv1d)(x, weight, stride=stride, padding=1)
        dims = [0, *range(2, x.dim())]
        mean, var = x.mean(dims, keepdim=True), x.var(dims, correction=0, keepdim=True)
        wide = (-1, *[1] * (x.dim() - 2))
        return (x - mean) / (var + 1e-5).sqrt() * scale.view(wide) + shift.view(wide)

    x = convolved(x, 1).relu()
    for stage in range(3):
        for block in range(blocks):
            halved = stage > 0 and block == 0
            inner = convolved(convolved(x, 1 + halved).relu(), 1)
            short = torch.zeros_like(inner)
            seen = x[:, :, ::2] if halved else x
            short[:, : x.shape[1]] = seen[..., ::2] if halved and x.dim() == 4 else seen
            x = (inner + short).relu()
    return F.linear(x.flatten(2).mean(dim=2), next(tensors), next(tensors))


@pytest.mark.parametrize(("dimensions", "shape"), [(2, (3, 9, 8)), (1, (2, 13))])
@pytest.mark.parametrize("blocks", [1, 3])
def test_it_computes_what_the_paper_says(dimensions: int, shape: tuple[int, ...], blocks: int) -> None:
    torch.manual_seed(0)
    network = resnet(shape[0], 4, blocks, 5, dimensions=dimensions).double()
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)):
        nn.init.normal_(norm.weight, 1.0, 0.3)
        nn.init.normal_(norm.bias)
    x = torch.randn(8, *shape, dtype=torch.float64)
    expected = by_hand(dict(network.named_parameters()), x, blocks)
    torch.testing.assert_close(network(x), expected, rtol=1e-10, atol=1e-10)


def test_its_weights_are_those_of_he() -> None:
    torch.manual_seed(0)
    network = resnet(3, 16, 3, 10)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            assert layer.bias is None
            expected = math.sqrt(2 / (9 * layer.out_channels))
            assert float(layer.weight.detach().std()) == pytest.approx(expected, rel=5 / layer.weight.numel() ** 0.5)
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.weight.eq(1).all()
            assert layer.bias.eq(0).all()


@pytest.mark.parametrize("blocks", [1, 3])
def test_all_its_activations_are_places(blocks: int) -> None:
    network = resnet(3, 4, blocks, 10)
    assert replace(network, nn.ReLU, nn.Tanh) == 6 * blocks + 1
    assert not any(isinstance(module, nn.ReLU) for module in network.modules())


@pytest.mark.parametrize("name", [*RESNETS, "cifar-10-resnet"])
def test_it_is_trained_without_tricks(name: str) -> None:
    chosen = task(name)
    assert (chosen.initial, chosen.scale, chosen.clip) == ("own", "none", None)
    assert chosen.optimiser == SGD(momentum=0.9, weight_decay=1e-4)
    kinds = [type(module) for module in chosen.network().modules()]
    norms = sum(issubclass(kind, nn.BatchNorm1d | nn.BatchNorm2d) for kind in kinds)
    assert norms == sum(issubclass(kind, nn.ReLU) for kind in kinds)


def test_cifar_has_the_network_of_the_paper() -> None:
    chosen = task("cifar-10-resnet")
    assert parameters(chosen.network()) == 269_722
    assert chosen.network()(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert chosen.steps == 10_000  # of Ramachandran et al. 2017
    larger = chosen.larger()
    assert larger is not None
    assert larger.name == "cifar-10-resnet-4x20"
    assert task("cifar-10-resnet-1x8").network()(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_a_factor_counts() -> None:
    """Of the published network ReLU is applied as it is; twice ReLU is another function."""
    found = evaluate(["relu(x)", "2*relu(x)"], "mnist1d-resnet-1x4", seeds=2, steps=5)
    assert found[0].gain == 0.0
    assert found[1].gain != 0.0
