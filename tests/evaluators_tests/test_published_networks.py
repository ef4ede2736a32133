"""Small forms of published networks: what stands in which place, and that layers train in their stacks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from evaluators.errors import TaskError
from evaluators.networks.published.inverted import Excitation
from evaluators.networks.published.parts import Parts, stages
from evaluators.networks.published.preresnet import Block
from evaluators.places.survey import find_sites
from evaluators.tasks import task
from evaluators.tasks.shipped import image_sets
from evaluators.tasks.shipped.published import FAMILIES, NORMS, PUBLISHED, PublishedNetwork
from evaluators.training.initialisation import initial_network
from evaluators.training.member import CohortMember
from primitives.expression.parsing import parse
from tests.evaluators_tests.test_stack_equals_plain import DOUBLE, check

B0 = "x/max(std_np(x),v*x+std_p(x))*w+b; v=1:channel, w=1:channel, b=0:channel"
S0 = "x*sigmoid(v*x)/std_gp(x)*w+b; v=1:channel, w=1:channel, b=0:channel"
#: Places of a network by its depth.
PLACES = {"preresnet": (2, 1), "mobilenet": (2, 2), "efficientnet": (2, 2), "densenet": (1, 2)}
every = pytest.mark.parametrize("name", [f"{source}-{family}" for source in PUBLISHED for family in FAMILIES])


def made(name: str, depth: int | None = None) -> PublishedNetwork:
    found = task(name)
    assert isinstance(found, PublishedNetwork)
    return found.resized(depth, found.width) if depth else found


@every
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_a_layer_stands_for_every_norm_with_its_activation(name: str, depth: int) -> None:
    chosen = made(name, depth)
    network, x = chosen.network(), chosen.data("search")[0][:32]
    sites = find_sites(network, chosen, x)
    each, more = PLACES[chosen.family]
    assert len(sites) == each * depth + more
    assert {site.place_kind for site in sites} == {"layer"}
    for site in sites:
        site.put(nn.Identity())
    assert not any(isinstance(module, (*NORMS, nn.ReLU)) for module in network.modules())
    assert network(x).shape == (32, 10)


@every
def test_a_stack_equals_one_model_at_a_time(name: str) -> None:
    chosen = made(name)
    chosen.learning_rates = chosen.learning_rates[:1]
    check(chosen, [CohortMember(parse(text), (1, 2)) for text in (B0, S0)], 3, DOUBLE, 1e-9)


@every
def test_weights_are_those_of_he(name: str) -> None:
    convolutions = [m for m in initial_network(made(name), 0).modules() if isinstance(m, nn.Conv1d | nn.Conv2d)]
    for module in convolutions:
        spread = (2.0 / module.weight[0].numel()) ** 0.5
        assert abs(float(module.weight.detach().std()) / spread - 1) < 5 / module.weight.numel() ** 0.5
        assert module.bias is None or not module.bias.any()


def test_what_makes_the_families() -> None:
    def convolutions(family: str) -> list[nn.Conv2d]:
        network = made(f"digits-{family}").network()
        return [module for module in network.modules() if isinstance(module, nn.Conv2d)]

    def depthwise(family: str) -> list[int]:
        return [c.kernel_size[0] for c in convolutions(family) if c.groups == c.in_channels == c.out_channels > 1]

    assert depthwise("mobilenet") == [3, 3]
    assert depthwise("efficientnet") == [3, 5]
    assert depthwise("preresnet") == depthwise("densenet") == []
    squeezing = made("digits-efficientnet").network().modules()
    assert sum(isinstance(module, nn.Sigmoid) for module in squeezing) == 2


def test_a_residual_network_of_empty_branches_is_its_skips() -> None:
    """Without a norm or an activation on the way from block to block."""
    network = made("digits-preresnet", 4).network().eval()
    assert isinstance(network, nn.Sequential)
    for block in (module for module in network if isinstance(module, Block)):
        last = block.branch[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)
    x = torch.randn(3, 1, 8, 8)
    first = network[0](x)
    torch.testing.assert_close(network[2](network[1](first)), first)


def test_squeeze_and_excitation_by_hand() -> None:
    torch.manual_seed(0)
    module, x = Excitation(Parts(1), 6, 2), torch.randn(4, 6, 9)
    inner, outer = module.factors[1], module.factors[3]
    assert isinstance(inner, nn.Conv1d) and isinstance(outer, nn.Conv1d)
    assert inner.bias is not None and outer.bias is not None
    squeezed = nn.functional.silu(x.mean(-1) @ inner.weight[:, :, 0].T + inner.bias)
    factor = torch.sigmoid(squeezed @ outer.weight[:, :, 0].T + outer.bias)
    torch.testing.assert_close(module(x), x * factor[:, :, None])


def test_stages() -> None:
    assert list(stages(1, 8)) == [(8, 1)]
    assert list(stages(3, 8)) == [(8, 1), (8, 1), (16, 2)]
    assert list(stages(4, 8)) == [(8, 1), (8, 1), (16, 2), (16, 1)]


@pytest.mark.parametrize("family", FAMILIES)
def test_sets_that_are_not_shipped(family: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv(image_sets.FOLDER, str(tmp_path))
    chosen = made(f"cifar-10-{family}-2x8")
    assert chosen.network()(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    assert len(find_sites(chosen.network(), chosen, torch.randn(32, 3, 32, 32))) > 2
    with pytest.raises(TaskError, match="task 'cifar-10'"):
        chosen.data("search")
