"""Expressions as layers: real parameters, gradients, types, transforms, replacement."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from primitives import Activation, ExpressionError, parse, replace

SWISH = parse("x*sigmoid(beta*x); beta=1.3:channel")
SHAPES = [(6, 4), (3, 5, 4), (2, 4, 3, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_parameter_per_channel_meets_its_channel(shape: tuple[int, ...]) -> None:
    layer = Activation(SWISH, channels=4)
    with torch.no_grad():
        layer.beta.copy_(torch.tensor([0.0, 1.0, 2.0, 3.0]))
    x = torch.randn(shape)
    beta = torch.tensor([0.0, 1.0, 2.0, 3.0]).view(4, 1, 1) if len(shape) == 4 else torch.tensor([0.0, 1.0, 2.0, 3.0])
    torch.testing.assert_close(layer(x), x * torch.sigmoid(beta * x))


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_input_and_parameter(shape: tuple[int, ...]) -> None:
    layer = Activation(SWISH, channels=4).double()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)

    def call(x: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, {"beta": beta}, (x,))

    assert torch.autograd.gradcheck(call, (x, layer.beta))
    assert torch.autograd.gradgradcheck(call, (x, layer.beta))


def test_only_the_input_is_saved_for_backward() -> None:
    saved: list[int] = []
    x = torch.randn(1000, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        Activation(parse("x*tanh(softplus(x))*erf(x)"))(x)
    assert sum(saved) == 1000


def test_channels_are_needed_for_a_parameter_per_channel() -> None:
    with pytest.raises(ExpressionError, match=r"'beta' is per channel; give channels"):
        Activation(SWISH)


def test_parameters_train_save_and_reset() -> None:
    layer = Activation(parse("a*x+sin(x); a=0.5"))
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(torch.ones(3)).sum().backward()
    optimiser.step()
    assert layer.a.item() == pytest.approx(0.2)
    other = Activation(parse("a*x+sin(x); a=0.5"))
    other.load_state_dict(layer.state_dict())
    assert other.a.item() == layer.a.item()
    layer.reset_parameters()
    assert layer.a.item() == 0.5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("plain", [False, True])
def test_output_has_the_inputs_type(dtype: torch.dtype, plain: bool) -> None:
    layer = Activation(parse("where(x>0,x,0.1*x)+exp(-x*x)+a; a=1"), plain=plain)
    x = torch.randn(64, dtype=dtype)
    assert layer(x).dtype == dtype
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == dtype


@pytest.mark.parametrize("text", ["x", "2", "a; a=1", "x>0", "relu(x)", "max(x,1)", "where(x>0,1,0)", "1/(2+x*x)"])
@pytest.mark.parametrize("plain", [False, True])
def test_degenerate_expressions_have_the_inputs_shape(text: str, plain: bool) -> None:
    x = torch.randn(2, 3, requires_grad=True)
    y = Activation(parse(text), plain=plain)(x)
    assert y.shape == x.shape
    assert y is not x or plain


def test_transforms_and_copies() -> None:
    expression = parse("gelu(x)*atan(x)")
    layer = Activation(expression)
    x = torch.randn(5, 7, dtype=torch.float64)
    rows = torch.func.vmap(torch.func.grad(lambda row: layer(row).sum()))(x)
    y = x.clone().requires_grad_()
    layer(y).sum().backward()
    torch.testing.assert_close(rows, y.grad)
    assert copy.deepcopy(layer)(x).equal(layer(x))


def test_export_uses_the_plain_form() -> None:
    layer = Activation(parse("x*sigmoid(beta*x); beta=1.5"))
    x = torch.randn(4, 3)
    exported = torch.export.export(layer, (x,)).module()
    torch.testing.assert_close(exported(x), layer(x))


def test_large_inputs_go_in_chunks_and_give_the_same() -> None:
    layer, x = Activation(parse("x*erf(x)")), torch.randn(100_003)
    torch.testing.assert_close(layer(x), x * torch.erf(x))


def test_replace_counts_and_gives_each_place_its_own() -> None:
    shared = nn.ReLU()
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Sequential(shared, nn.Tanh(), shared))
    assert replace(model, nn.ReLU, parse("a*x+sin(x); a=1")) == 2
    assert model[2][0] is model[2][2]
    assert model[1] is not model[2][0]
    assert len(list(model.parameters())) == 4
    assert replace(model, nn.ReLU, parse("sin(x)")) == 0
    assert replace(model, (nn.Tanh, Activation), nn.GELU) == 3
