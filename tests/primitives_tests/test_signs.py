"""Sign orbits: what another sign of weights makes of a function is one class, and trains the same."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from primitives.catalogue import catalogue, known_name
from primitives.equivalence.classes import class_of
from primitives.equivalence.signs import Signed, sign_class, sign_orbit
from primitives.expression.parsing import parse
from primitives.layers.activation import Activation

TEXTS = ["relu(x)", "x*sigmoid(x)", "max(x,sin(x))", "sin(x)+x", "min(x,1)", "cos(x)*exp(-x**2)", "x*tanh(b*x); b=1.5"]


def test_an_orbit_is_what_it_says() -> None:
    x = torch.linspace(-3.0, 3.0, 61, dtype=torch.float64)
    f = Activation(parse("x*sigmoid(x)+0.3*cos(x)"))
    for each in sign_orbit(f.expression):
        torch.testing.assert_close(Activation(each.expression)(x), each.outer * f(each.inner * x))
    assert [each.said for each in sign_orbit(f.expression)] == ["", "mirrored", "negated", "point-reflected"]


@given(number=st.integers(0, len(catalogue()) - 1), exact=st.booleans())
def test_all_of_an_orbit_are_one_class(number: int, exact: bool) -> None:
    expression = catalogue()[number].expression
    assert len({sign_class(each.expression, exact=exact) for each in sign_orbit(expression)}) == 1


def test_other_functions_are_other_classes() -> None:
    assert len({sign_class(parse(text), exact=False) for text in TEXTS}) == len(TEXTS)
    assert sign_class(parse("2*relu(x)"), exact=True) != sign_class(parse("relu(x)"), exact=True)
    assert sign_class(parse("2*relu(-x)"), exact=False) == sign_class(parse("relu(x)"), exact=False)
    assert class_of(parse("relu(-x)"), exact=False) != class_of(parse("relu(x)"), exact=False)


@pytest.mark.parametrize(
    ("text", "name", "relation"),
    [
        ("max(-x,0)", "ReLU", "mirrored"),
        ("-3*gelu(x)", "GELU", "negated"),
        ("-silu(-x)", "SiLU", "point-reflected"),
        ("relu(x)", "ReLU", "equal"),
        ("1-relu(-x)", "ReLU", "shifted"),
    ],
)
def test_a_name_says_the_sign(text: str, name: str, relation: str) -> None:
    match = known_name(parse(text))
    assert match is not None
    if relation != "shifted":
        assert (match.name, match.relation) == (name, relation)
    x = torch.linspace(-3.0, 3.0, 61, dtype=torch.float64)
    known = Activation(match.entry.expression)(match.input_scale * x)
    torch.testing.assert_close(Activation(parse(text))(x), match.factor * known + match.offset)


def trained(network: nn.Sequential, optimiser: type[torch.optim.Optimizer]) -> list[float]:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(64, 6, generator=generator).double(), torch.randint(3, (64,), generator=generator)
    steps, losses = optimiser(network.parameters(), lr=1e-2), []  # type: ignore[call-arg]
    for _ in range(20):
        steps.zero_grad()
        loss: Tensor = F.cross_entropy(network(x), y)
        loss.backward()
        steps.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("optimiser", [torch.optim.Adam, torch.optim.SGD])
@pytest.mark.parametrize("norm", [nn.Identity(), nn.LayerNorm(8)], ids=["plain", "layer norm"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_it_trains_the_same_from_weights_of_other_signs(
    number: int, norm: nn.Module, optimiser: type[torch.optim.Optimizer]
) -> None:
    """To the last bit in float64: a sign rounds nothing."""
    torch.manual_seed(0)
    signed: Signed = sign_orbit(parse("max(x,sin(x))"))[number]
    f, g = Activation(parse("max(x,sin(x))")), Activation(signed.expression)
    first = nn.Sequential(nn.Linear(6, 8), copy.deepcopy(norm), f, nn.Linear(8, 3)).double()
    other = copy.deepcopy(first)
    other[2] = g.double()
    with torch.no_grad():
        before = other[1] if isinstance(norm, nn.LayerNorm) else other[0]  # a norm's own weights come last before f
        for weight in before.parameters():
            weight.mul_(signed.inner)
        other[3].weight.mul_(signed.outer)  # type: ignore[operator]
    assert trained(other, optimiser) == trained(first, optimiser)
