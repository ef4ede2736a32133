"""A parameter per network is one element for all layers of a network, in our layers and in exported ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from primitives import Activation, lower, parse, replace
from primitives.equivalence.classes import fingerprint, kind_of
from primitives.errors import ExpressionError, GrammarError
from primitives.grammars.declaration import declaration
from tests.primitives_tests.loading import loaded

SHARED = "a*x*sigmoid(beta*x); a=1.5, beta=1:network"


def deep(layers: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*(part for _ in range(layers) for part in (nn.Linear(4, 4), nn.ReLU()))).double()


def check_one(model: nn.Sequential, one: type[nn.Module]) -> None:
    """One beta, whose gradient is the sum of those that layers of their own would have, and an a for each layer."""
    layers = [module for module in model.modules() if isinstance(module, one)]
    assert len({id(layer.beta) for layer in layers}) == 1
    assert len({id(layer.a) for layer in layers}) == len(layers)
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    model.double()(x).square().sum().backward()
    together = layers[0].get_parameter("beta").grad
    for layer in layers:
        layer.beta = nn.Parameter(layer.get_parameter("beta").detach().clone())
    apart = [torch.autograd.grad(model(x).square().sum(), layer.get_parameter("beta"))[0] for layer in layers]
    torch.testing.assert_close(together, torch.stack(apart).sum(0))


def test_replace_puts_in_layers_that_share_it() -> None:
    model = deep()
    assert replace(model, nn.ReLU, parse(SHARED)) == 3
    assert sum(name.endswith("beta") for name, _ in model.named_parameters()) == 1
    check_one(model, Activation)


def test_exported_replace_puts_in_layers_that_share_it(tmp_path: Path) -> None:
    module = loaded(str(lower(parse(SHARED), "torch", name="act_1")), tmp_path / "act_1.py")
    model = deep()
    assert module.replace(model, nn.ReLU, module.Act1) == 3
    check_one(model, module.Act1)


def test_text_and_class_know_it() -> None:
    assert parse(SHARED).text == "a*x*sigmoid(beta*x); a=1.5, beta=1:network"
    assert kind_of(parse(SHARED)) == "ln"
    texts = [f"x*sigmoid(beta*x); beta=1{per}" for per in ("", ":channel", ":network")]
    assert len({fingerprint(parse(text)).exact for text in texts}) == 3
    with pytest.raises(ExpressionError, match="'layer', 'channel' or 'network'"):
        parse("beta*x; beta=1:model")


def test_a_grammar_declares_it() -> None:
    text = "name: g\nparameters: {beta: {per: network}}\nfactors: {max: 1, per: network}\n"
    with pytest.raises(GrammarError, match=r"parameters\.beta: starts at 1 per network as the factors do"):
        declaration(text + "unary: [beta*a]\ntemplates: [{form: unary(x)}]", "g.yaml")
