"""The network families: places for the candidate, shapes, causality, derivatives, sizes of their signals."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evaluators.networks import CoordinateNetwork, Residual, Transformer, WithDerivatives, cnn, mlp
from evaluators.training.initialisation import initial_network
from primitives.layers.replacing import replace
from tests.evaluators_tests.families import FAMILIES, Family

PLACES = {"mlp": 3, "cnn": 2, "transformer": 1, "coordinates": 2, "derivatives": 2, "state": 2, "perexample": 2}
PLACES |= {"skipping": 3, "signals": 2, "gru": 2, "patches": 1, "resnet": 7, "kan": 2}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_activation_is_a_place_for_the_candidate(name: str) -> None:
    network = Family(name).network()
    assert replace(network, nn.ReLU, nn.Tanh) == PLACES[name.split("-")[0]]
    assert not any(isinstance(module, nn.ReLU) for module in network.modules())


@pytest.mark.parametrize("name", FAMILIES)
def test_one_loss_an_example(name: str) -> None:
    family = Family(name)
    x, y = family.data("search")
    losses = family.loss(initial_network(family, 0)(x), y)
    assert losses.shape == (len(x),)
    assert torch.isfinite(losses).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_initial_weights(name: str) -> None:
    first, again, other = (initial_network(Family(name), seed) for seed in (1, 1, 2))
    pairs = zip(first.named_parameters(), again.parameters(), other.parameters(), strict=True)
    for (path, own), same, different in pairs:
        assert torch.equal(own, same)
        if own.dim() > 1:
            assert not torch.equal(own, different), path
            spread = own[0].numel() ** -0.5
            assert abs(float(own.detach().std()) / spread - 1) < 5 / own.numel() ** 0.5, path


def test_constructor_arguments() -> None:
    assert mlp(7, 5, 4, 3)(torch.ones(2, 7)).shape == (2, 3)
    assert cnn(3, 4, 3, 10, groups=4)(torch.ones(2, 3, 9, 9)).shape == (2, 10)
    assert Transformer(16, 2, 4, context=8)(torch.zeros(2, 5, dtype=torch.int64)).shape == (2, 5, 256)
    assert CoordinateNetwork(2, 8, 3, 3)(torch.ones(4, 2)).shape == (4, 3)
    assert WithDerivatives(CoordinateNetwork(3, 8, 2, 1))(torch.ones(4, 3)).shape == (4, 7)
    assert WithDerivatives(CoordinateNetwork(3, 8, 2, 1), second=(2,))(torch.ones(4, 3)).shape == (4, 5)


def test_attention_sees_no_later_token() -> None:
    torch.manual_seed(0)
    network = Transformer(16, 2, 4, context=8, vocabulary=32)
    tokens = torch.randint(32, (3, 8))
    changed = tokens.clone()
    changed[:, 5] = (changed[:, 5] + 1) % 32
    before, after = network(tokens), network(changed)
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.isclose(before[:, 5:], after[:, 5:]).all(dim=-1).any()


def test_tokens_know_their_place() -> None:
    torch.manual_seed(0)
    out = Transformer(16, 1, 2, context=6)(torch.zeros(1, 6, dtype=torch.int64))
    assert not torch.isclose(out[0, 0], out[0, 1]).all()


class Known(nn.Module):
    """u = sin(2 x) exp(y)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(2 * x[:, :1]) * torch.exp(x[:, 1:])


def test_derivatives_of_a_known_field() -> None:
    points = torch.randn(9, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x, y = points.unbind(dim=1)
    u, u_x = torch.sin(2 * x) * torch.exp(y), 2 * torch.cos(2 * x) * torch.exp(y)
    expected = torch.stack([u, u_x, u, -4 * u, u], dim=1)
    torch.testing.assert_close(WithDerivatives(Known())(points), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("normalised", [False, True])
def test_signals_of_deep_residual_networks_stay_in_bounds(normalised: bool) -> None:
    class Deep(Family):
        def network(self) -> nn.Module:
            return mlp(32, 32, 50, 32, normalised=normalised, residual=True)

    network = initial_network(Deep("mlp"), 0)
    assert sum(isinstance(module, Residual) for module in network.modules()) == 50
    x = torch.randn(256, 32, generator=torch.Generator().manual_seed(0))
    assert 0.3 < float(network(x).detach().std()) < 3.0
