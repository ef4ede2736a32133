"""Layers with statistics as modules: torch's norms are the model, in training, evaluation, state and copies."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

from primitives import Activation, ExpressionError, NormActivation, parse, replace, value_at
from primitives.layers.norm_activation import layer_of
from primitives.layers.population import population

S0 = "x*sigmoid(v*x)/std_gp(x)*w+b; v=1:channel, w=1:channel, b=0:channel"
B0 = "x/max(std_np(x),v*x+std_p(x))*w+b; v=1:channel, w=1:channel, b=0:channel"
NORM = "(x-mean_np(x))/std_np(x)*w+b; w=1:channel, b=0:channel"


def normal(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=dtype)


@pytest.mark.parametrize("momentum", [0.1, 0.4, None])
def test_batch_norm(momentum: float | None) -> None:
    """Output, gradient and running mean of torch's; the running variance is of the batch, torch's has n/(n-1)."""
    own = NormActivation(parse(NORM), 6, momentum=momentum, dtype=torch.float64)
    theirs = nn.BatchNorm2d(6, momentum=momentum, dtype=torch.float64)
    for scale in (1.0, 3.0, 0.5):
        x = scale * normal(4, 6, 3, 3) + scale
        left, right = x.clone().requires_grad_(), x.clone().requires_grad_()
        torch.testing.assert_close(own(left), theirs(right), rtol=1e-12, atol=1e-12)
        own(left).square().sum().backward()
        theirs(right).square().sum().backward()
        torch.testing.assert_close(left.grad, right.grad, rtol=1e-10, atol=1e-10)
    assert theirs.running_mean is not None
    torch.testing.assert_close(own.get_buffer("running1"), theirs.running_mean, rtol=1e-12, atol=1e-12)
    assert theirs.running_var is not None
    start = 0.0 if momentum is None else (1 - momentum) ** 6  # torch's begins at 1, too, and has 36/35 of the rest
    torch.testing.assert_close(
        (own.get_buffer("running2") - start) * 36 / 35 + start, theirs.running_var, rtol=1e-10, atol=1e-10
    )
    theirs.running_var.copy_(own.get_buffer("running2"))
    torch.testing.assert_close(own.eval()(x), theirs.eval()(x), rtol=1e-12, atol=1e-12)
    assert int(own.num_batches_tracked) == 6


def test_evaluation_looks_at_no_other_example() -> None:
    layer = NormActivation(parse(B0), 4, dtype=torch.float64)
    x = normal(6, 4, 3, 3)
    layer(x)
    layer.eval()
    torch.testing.assert_close(layer(x)[2:3], layer(x[2:3]), rtol=1e-13, atol=1e-13)
    layer.train()
    assert not torch.allclose(layer(x)[2:3], layer(x[2:3]))


def test_without_running_statistics() -> None:
    layer = NormActivation(parse(B0), 4, track_running_stats=False, dtype=torch.float64)
    assert not list(layer.named_buffers())
    x = normal(6, 4, 3, 3)
    assert torch.equal(layer(x), layer.eval()(x))
    assert not list(NormActivation(parse(S0), 4).named_buffers())  # no statistic over examples


def test_the_form_of_inference() -> None:
    found = population(parse("x/std_np(x)+mean_np(x*mean_np(x))"))
    assert [each.text for each in found.statistics] == ["var_np(x)", "mean_np(x*mean_np(x))"]
    assert [p.per for p in found.running] == ["channel", "channel"]
    assert found.form.text == "x/sqrt(running1+1e-05)+running2; running1=1:channel, running2=0:channel"
    assert population(parse("mean_np(mean_cp(x))+x")).running[0].per == "layer"
    assert population(parse("x/std_cp(x)")).statistics == ()
    taken = population(parse("running1*x/std_np(x); running1=2"))
    assert [p.name for p in taken.running] == ["running2"]


@pytest.mark.parametrize("text", [S0, B0, NORM, "paired(relu(x),silu(x))/rms_c(x)", "x/std_cp(x)*z"])
def test_derivatives(text: str) -> None:
    layer = NormActivation(parse(text), 4, dtype=torch.float64)
    inputs = tuple(normal(2, 3, 4, 2, 2).unbind()[: 1 + text.count("z")])
    inputs = tuple(each.clone().requires_grad_() for each in inputs)
    if "paired" not in text:
        assert gradcheck(layer, inputs)
        assert gradgradcheck(layer, inputs)
        return
    x, upstream = inputs[0], normal(3, 4, 2, 2)  # by the product rule: silu'(x)/rms, and relu(x) in the other part
    own = torch.autograd.grad(layer(x), x, upstream)[0]
    rms = (x.square().mean(1, keepdim=True) + 1e-5).sqrt()
    slope = torch.sigmoid(x) * (1 + x * (1 - torch.sigmoid(x)))
    through = -(upstream * torch.relu(x)).sum(1, keepdim=True) / rms**3 * x / 4
    torch.testing.assert_close(own, upstream * slope / rms + through, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("text", ["paired(x/std_np(x),silu(x))", "paired(x*mean_np(x),silu(x))*1.0"])
def test_a_pair_keeps_its_derivative_in_evaluation(text: str) -> None:
    layer = NormActivation(parse(text), 4, dtype=torch.float64)
    layer(normal(3, 4, 2, 2))
    x, y = (normal(3, 4, 2, 2).requires_grad_() for _ in range(2))
    (own,) = torch.autograd.grad(layer.eval()(x).sum(), x)
    (expected,) = torch.autograd.grad(torch.nn.functional.silu(y).sum(), y)
    torch.testing.assert_close(own, expected)


def test_autocast_and_half_types_keep_statistics_in_float32() -> None:
    x = 300.0 + 200.0 * normal(8, 4, 5, 5, dtype=torch.float32)  # squares overflow in float16
    expected = NormActivation(parse(NORM), 4)(x)
    for dtype in (torch.float16, torch.bfloat16):
        layer = NormActivation(parse(NORM), 4)
        own = layer(x.to(dtype))
        assert own.dtype == dtype
        assert torch.equal(value_at(parse(NORM), x.to(dtype)), NormActivation(parse(NORM), 4)(x.to(dtype)))
        torch.testing.assert_close(own.float(), expected, rtol=0, atol=0.03)
        assert layer.get_buffer("running1").dtype == torch.float32
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(NormActivation(parse(NORM), 4)(x), expected)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own
def test_state_copies_and_compilation() -> None:
    layer = NormActivation(parse(B0), 4)
    x = normal(6, 4, 3, 3, dtype=torch.float32)
    layer(x)
    other = NormActivation(parse(B0), 4)
    other.load_state_dict(layer.state_dict())
    stream = io.BytesIO()
    torch.save(layer, stream)
    stream.seek(0)
    loaded = torch.load(stream, weights_only=False)
    compiled = torch.compile(copy.deepcopy(layer), backend="aot_eager", fullgraph=True)
    same: list[Any] = [other, copy.deepcopy(layer), loaded, compiled]
    for each in same:
        each.eval()
        assert torch.equal(each(x), layer.eval()(x))
        each.train()
        torch.testing.assert_close(each(x), copy.deepcopy(layer).train()(x))
    layer.reset_running_stats()
    assert int(layer.num_batches_tracked) == 0
    assert torch.equal(layer.get_buffer("running1"), torch.ones(4))


def test_in_a_network() -> None:
    """``replace`` takes layers without parameters per channel, and gives equal runs of the places to parts."""
    model = nn.Sequential(*[each for n in range(5) for each in (nn.Linear(8, 8), nn.ReLU())])
    assert replace(model, nn.ReLU, parse("layers(relu(x)/rms_c(x),x*sigmoid(beta*x)); beta=1:network")) == 5
    assert [type(model[2 * n + 1]).__name__ for n in range(5)] == ["NormActivation"] * 3 + ["Activation"] * 2
    assert model[7].beta is model[9].beta
    model(torch.randn(4, 8)).sum().backward()
    assert isinstance(layer_of(parse(S0), 4), NormActivation)
    assert isinstance(layer_of(parse("silu(x)*z")), Activation)


@pytest.mark.parametrize(
    ("text", "inputs", "message"),
    [
        ("x/std_cp(x)", (normal(5),), r"expected an input \(examples, channels, ...\), got one of shape \(5,\)"),
        (NORM, (normal(3, 5, 2, 2),), "expected 4 channels in dimension 1 or the last one"),
        (NORM, (normal(0, 4),), r"expected examples to train on, got shape \(0, 4\)"),
        (S0, (normal(3, 4), normal(3, 4)), "the expression has no z"),
        ("x/rms_c(x)*z", (normal(3, 4),), "expected two inputs, x and z, got one"),
        ("x/rms_c(x)*z", (normal(3, 4), normal(3, 1)), r"expected z of the shape of x, \(3, 4\), got \(3, 1\)"),
        (S0, (torch.ones(3, 4, dtype=torch.int64),), "expected a floating point input"),
    ],
)
def test_bad_inputs(text: str, inputs: tuple[Tensor, ...], message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        NormActivation(parse(text), 4, dtype=torch.float64)(*inputs)


def test_refusals() -> None:
    with pytest.raises(ExpressionError, match="has statistics; make it with NormActivation"):
        Activation(parse(S0), 4)
    for kind in (Activation, NormActivation):
        with pytest.raises(ExpressionError, match="expected the function of one place"):
            kind(parse("layers(x,relu(x))"))
    with pytest.raises(ExpressionError, match="a statistic over examples is per channel; give channels"):
        NormActivation(parse("x/std_np(x)"))
