"""Expressions as layers: parameters, shapes, types, training, saving, transforms, replacement."""

from __future__ import annotations

import copy
import io
import math
import pickle
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, hessian, jacfwd, jacrev, jvp, stack_module_state, vmap
from torch.utils.checkpoint import checkpoint

from primitives import Activation, ExpressionError, catalogue, derivative, parse, replace, value_at
from primitives.catalogue import Entry

SWISH = parse("x*sigmoid(beta*x); beta=1.3:channel")
SHAPES = [(4,), (6, 4), (3, 5, 4), (2, 4, 3, 3)]
BOTH_FORMS = pytest.mark.parametrize("plain", [False, True], ids=["fused", "plain"])
# torch loads decompositions for forward mode by way of its own deprecated torch.jit.script
FORWARD_MODE = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


def swish(x: Tensor, beta: Tensor) -> Tensor:
    return x * torch.sigmoid((beta.view(-1, 1, 1) if x.dim() == 4 else beta) * x)


def slope_of(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad


@BOTH_FORMS
@pytest.mark.parametrize("shape", SHAPES)
def test_a_parameter_per_channel_meets_its_channel(shape: tuple[int, ...], plain: bool) -> None:
    layer = Activation(SWISH, channels=4, plain=plain)
    with torch.no_grad():
        layer.get_parameter("beta").copy_(torch.tensor([0.0, 1.0, 2.0, 3.0]))
    x = torch.randn(shape)
    torch.testing.assert_close(layer(x), swish(x, layer.get_parameter("beta")))


@BOTH_FORMS
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_input_and_parameter(shape: tuple[int, ...], plain: bool) -> None:
    layer = Activation(SWISH, channels=4, plain=plain).double()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)

    def call(x: Tensor, beta: Tensor) -> Tensor:
        return functional_call(layer, {"beta": beta}, (x,))

    inputs = (x, layer.get_parameter("beta"))
    assert torch.autograd.gradcheck(call, inputs)
    assert torch.autograd.gradgradcheck(call, inputs)


def test_only_the_input_is_saved_for_backward() -> None:
    saved: list[int] = []
    x = torch.randn(1000, requires_grad=True)

    def counted(tensor: Tensor) -> Tensor:
        saved.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(counted, lambda t: t):
        Activation(parse("x*tanh(softplus(x))*erf(x)"))(x)
    assert sum(saved) == 1000


# -- inputs


INPUTS = {
    "rows": torch.randn(5, 4),
    "columns": torch.randn(4, 5).t(),
    "every other": torch.randn(10, 8)[::2, ::2],
    "one row for all": torch.randn(1, 4).expand(5, 4),
    "image": torch.randn(2, 4, 3, 5),
    "image, channels last": torch.randn(2, 4, 3, 5).to(memory_format=torch.channels_last),
    "large image, channels last": torch.randn(2, 4, 70, 80).to(memory_format=torch.channels_last),
    "permuted tokens": torch.randn(3, 4, 7).transpose(1, 2),
    "no rows": torch.randn(0, 4),
    "no pixels": torch.randn(2, 4, 0, 3),
    "a vector": torch.randn(4),
}


@BOTH_FORMS
@pytest.mark.parametrize("x", INPUTS.values(), ids=INPUTS)
def test_output_and_gradient_lie_in_memory_as_those_of_torchs_own(x: Tensor, plain: bool) -> None:
    for text in ("x*sigmoid(beta*x); beta=1:channel", "x*sigmoid(x)", "x*erf(x)+a; a=1", "relu(x)"):
        layer = Activation(parse(text), 4, plain=plain)
        mine, theirs = x.detach().requires_grad_(), x.detach().requires_grad_()
        y, expected = layer(mine), F.silu(theirs)
        (slope,) = torch.autograd.grad(y.square().sum(), mine)
        (expected_slope,) = torch.autograd.grad(expected.square().sum(), theirs)
        assert (y.shape, y.stride()) == (expected.shape, expected.stride())
        assert (slope.shape, slope.stride()) == (expected_slope.shape, expected_slope.stride())
        if "sigmoid" in text:
            torch.testing.assert_close(y, expected)
            torch.testing.assert_close(slope, expected_slope)


@BOTH_FORMS
def test_a_number_of_no_dimension_is_an_input_too(plain: bool) -> None:
    x = torch.tensor(0.7, requires_grad=True)
    y = Activation(parse("a*x+sin(x); a=2"), plain=plain)(x)
    y.backward()
    assert y.shape == ()
    assert x.grad == pytest.approx(2 + torch.cos(torch.tensor(0.7)).item())


@BOTH_FORMS
@pytest.mark.parametrize("text", ["x", "2", "a; a=1", "x>0", "relu(x)", "max(x,1)", "where(x>0,1,0)", "1/(2+x*x)"])
def test_degenerate_expressions_have_the_inputs_shape(text: str, plain: bool) -> None:
    x = torch.randn(2, 3, requires_grad=True)
    y = Activation(parse(text), plain=plain)(x)
    assert y.shape == x.shape
    assert y is not x or plain


# A bug of primitives/layers/pointwise.py: only a result that is x is copied, not one that is a parameter.
def test_a_parameter_alone_may_have_the_inputs_shape() -> None:
    assert Activation(parse("beta; beta=2:channel"), 4)(torch.zeros(4)).tolist() == [2.0] * 4


@BOTH_FORMS
@pytest.mark.parametrize(
    ("channels", "shape", "message"),
    [
        (4, (3, 5), r"expected 4 channels in the last dimension, got shape \(3, 5\)"),
        (4, (3, 1), r"expected 4 channels in the last dimension, got shape \(3, 1\)"),
        (4, (2, 5, 4, 3), r"expected 4 channels in dimension 1 or the last one, got shape \(2, 5, 4, 3\)"),
        (
            4,
            (2, 4, 4),
            r"dimension 1 and the last one of shape \(2, 4, 4\) both have 4 entries; give channel_dim=1",
        ),
        (4, (), r"expected 4 channels in the last dimension, got shape \(\)"),
    ],
)
def test_another_number_of_channels_is_refused(
    channels: int, shape: tuple[int, ...], message: str, plain: bool
) -> None:
    with pytest.raises(ExpressionError, match=r"^x\*sigmoid\(beta\*x\); beta=1.3:channel: " + message):
        Activation(SWISH, channels, plain=plain)(torch.zeros(shape))


@BOTH_FORMS
@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
def test_an_input_that_is_not_floating_point_is_refused(dtype: torch.dtype, plain: bool) -> None:
    with pytest.raises(ExpressionError, match=rf"relu\(x\): expected a floating point input, got {dtype}"):
        Activation(parse("relu(x)"), plain=plain)(torch.ones(3, dtype=dtype))


def test_large_inputs_go_in_chunks_and_give_the_same() -> None:
    layer, x = Activation(parse("x*erf(x)")), torch.randn(100_003)
    torch.testing.assert_close(layer(x), x * torch.erf(x))


# -- types


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@BOTH_FORMS
def test_output_and_gradients_keep_their_types(dtype: torch.dtype, plain: bool) -> None:
    layer = Activation(parse("where(x>0,x,0.1*x)+exp(-x*x)+a*tanh(x)+b; a=1, b=0:channel"), 4, plain=plain)
    x = torch.randn(16, 4, dtype=dtype, requires_grad=True)
    for autocast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            y = layer(x)
        y.sum().backward()
        assert (y.dtype, slope_of(x).dtype) == (dtype, dtype)
        assert {name: slope_of(p).dtype for name, p in layer.named_parameters()} == dict.fromkeys("ab", torch.float32)
    assert layer.to(dtype)(x).dtype == dtype


@BOTH_FORMS
def test_autocast_around_a_network_trains(plain: bool) -> None:
    model = nn.Sequential(nn.Linear(4, 8), Activation(SWISH, 8, plain=plain), nn.Linear(8, 1))
    with torch.autocast("cpu", torch.bfloat16):
        y = model(torch.randn(5, 4))
    assert y.dtype == torch.bfloat16
    y.float().square().mean().backward()
    assert all(torch.isfinite(g).all() and g.dtype == torch.float32 for g in map(slope_of, model.parameters()))


# -- parameters


def test_a_layer_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(ExpressionError, match=r"'beta' is per channel; give channels"):
        Activation(SWISH)
    for channels in (0, -3, "4", 2.0):
        with pytest.raises(ExpressionError, match=f"channels is a whole number above 0, got {channels!r}"):
            Activation(SWISH, channels)  # type: ignore[arg-type]
    with pytest.raises(ExpressionError, match="expected an expression, as from parse"):
        Activation("x")  # type: ignore[arg-type]
    for name in ("training", "expression", "forward", "half"):
        with pytest.raises(ExpressionError, match=f"nn.Module uses the name '{name}'; rename the parameter"):
            Activation(parse(f"{name}*x; {name}=1"))


BEYOND = ("max(x,{0})", "{0}/x", "tanh({0}*x)", "abs(x)**{0}", "(x>{0})*x", "where(x>0,{0},x)", "elu({0}*x)", "x*{0}")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("number", ["1e300", "-1e300", "1e39", "1e5", "1e-300"])
@pytest.mark.parametrize("form", BEYOND)
def test_a_number_that_a_type_does_not_hold_is_infinite_in_it(form: str, number: str, dtype: torch.dtype) -> None:
    """So arithmetic rounds it; an error in the middle of a job would be the candidate's traceback."""
    x = torch.tensor([-2.0, -0.5, 0.5, 3.0], dtype=dtype, requires_grad=True)
    y = Activation(parse(form.format(number)))(x)
    assert y.dtype == dtype
    if y.requires_grad:
        torch.autograd.grad(y.sum(), x, allow_unused=True)


def test_rounding_to_infinity_gives_the_limit() -> None:
    x = torch.tensor([-2.0, 0.5])
    for text, expected in (("max(x,1e39)", [math.inf] * 2), ("tanh(1e39*x)", [-1.0, 1.0]), ("min(x,1e39)", x.tolist())):
        assert Activation(parse(text))(x).tolist() == expected


def test_an_initial_value_that_the_type_does_not_hold_is_refused() -> None:
    layer = Activation(parse("a*x; a=1e5")).double()
    layer.reset_parameters()
    with pytest.raises(
        ExpressionError, match=r"parameter 'a': .* at most 6.55e\+04 in size, the largest of torch.float16"
    ):
        layer.half().reset_parameters()
    with pytest.raises(ExpressionError, match="got 1e\\+300"):
        Activation(parse("tanh(a*x); a=1e300:channel"), channels=3)


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.name)
def test_every_function_of_the_catalogue_is_a_layer(entry: Entry) -> None:
    x = torch.linspace(-2, 2, 12).view(3, 4)
    forms = [Activation(entry.expression, 4, plain=plain) for plain in (False, True)]
    torch.testing.assert_close(forms[0](x), forms[1](x), equal_nan=True)
    assert [name for name, _ in forms[0].named_parameters()] == [p.name for p in entry.expression.parameters]


OPTIMISERS: dict[str, Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.05),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.0),
    "LBFGS": lambda p: torch.optim.LBFGS(p, lr=0.5),
}


@BOTH_FORMS
@pytest.mark.parametrize("optimiser", OPTIMISERS.values(), ids=OPTIMISERS)
def test_parameters_are_trained_to_the_ones_that_made_the_data(
    optimiser: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer], plain: bool
) -> None:
    torch.manual_seed(0)
    layer = Activation(parse("x*sigmoid(b*x)+a*sin(x); b=1:channel, a=0"), 3, plain=plain)
    x, b = torch.randn(200, 3), torch.tensor([0.5, 1.5, 2.5])
    expected = x * torch.sigmoid(b * x) + 0.4 * torch.sin(x)
    steps = optimiser(layer.parameters())

    def loss() -> float:
        steps.zero_grad()
        error = F.mse_loss(layer(x), expected)
        error.backward()
        return error.item()

    for _ in range(300):
        steps.step(loss)
    torch.testing.assert_close(layer.get_parameter("b").detach(), b, rtol=0.02, atol=0.02)
    assert layer.get_parameter("a").item() == pytest.approx(0.4, abs=0.01)


def test_state_is_saved_loaded_and_checked() -> None:
    layer, file = Activation(parse("a*x+b*sin(x); a=0.5, b=2:channel"), 3), io.BytesIO()
    nn.init.normal_(layer.get_parameter("b"))
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = Activation(layer.expression, 3)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other.get_parameter("b").equal(layer.get_parameter("b"))
    with pytest.raises(RuntimeError, match=r'Missing key.*"a".*\s.*Unexpected key.*"gamma"'):
        other.load_state_dict({"gamma": torch.ones(()), "b": torch.ones(3)})
    with pytest.raises(RuntimeError, match="size mismatch for b"):
        other.load_state_dict({"a": torch.ones(()), "b": torch.ones(4)})
    layer.reset_parameters()
    assert (layer.get_parameter("a").item(), layer.get_parameter("b").tolist()) == (0.5, [2.0] * 3)


def test_parameters_are_made_where_they_are_wanted() -> None:
    assert Activation(SWISH, 4, dtype=torch.float64).beta.dtype == torch.float64
    assert Activation(SWISH, 4, device="meta").beta.is_meta
    assert nn.utils.skip_init(Activation, SWISH, 4).beta.shape == (4,)
    with torch.device("meta"):
        layer = Activation(SWISH, 4)
    assert layer(torch.empty(3, 4, device="meta")).shape == (3, 4)
    layer.to_empty(device="cpu").reset_parameters()
    assert layer.get_parameter("beta").tolist() == pytest.approx([1.3] * 4)


@pytest.mark.parametrize("text", ["gelu(x)*atan(x)", "(x>0)*x+where(x<a,x,0); a=1:channel"])
def test_copies_and_pickles_compute_the_same(text: str) -> None:
    layer, x = Activation(parse(text), 4), torch.randn(5, 4)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other(x).equal(layer(x))
        assert repr(other) == repr(layer) == f"Activation({text})"


# -- what torch does with layers


def test_a_row_mapped_is_a_row_of_the_whole() -> None:
    layer, x = Activation(parse("gelu(x)*atan(x)")), torch.randn(5, 7, dtype=torch.float64)
    rows = vmap(torch.func.grad(lambda row: layer(row).sum()))(x)
    y = x.clone().requires_grad_()
    layer(y).sum().backward()
    torch.testing.assert_close(rows, y.grad)


@BOTH_FORMS
def test_an_ensemble_is_mapped_over_its_parameters(plain: bool) -> None:
    layers = [Activation(SWISH, 4, plain=plain) for _ in range(3)]
    for layer in layers:
        nn.init.normal_(layer.get_parameter("beta"))
    state, _ = stack_module_state(layers)
    x = torch.randn(5, 4)
    mapped = vmap(lambda state: functional_call(layers[0], state, (x,)))(state)
    torch.testing.assert_close(mapped, torch.stack([layer(x) for layer in layers]))


@BOTH_FORMS
def test_the_gradient_by_a_parameter_as_a_function(plain: bool) -> None:
    layer, x = Activation(SWISH, 4, plain=plain), torch.randn(5, 4)
    slopes = torch.func.grad(lambda state: functional_call(layer, state, (x,)).sum())(dict(layer.named_parameters()))
    layer(x).sum().backward()
    torch.testing.assert_close(slopes["beta"], layer.beta.grad)


@FORWARD_MODE
@pytest.mark.parametrize("name", ["silu", "gelu", "elu", "selu", "sigmoid", "tanh", "leaky_relu", "mish", "softplus"])
def test_forward_mode_of_a_derivative(name: str) -> None:
    """torch's kernels of backward passes, of which derivatives are made, do not all have it."""
    layer, x = Activation(derivative(parse(f"{name}(x)"))), torch.linspace(-2, 2.5, 9, dtype=torch.float64)
    torch.testing.assert_close(jacfwd(layer)(x), jacrev(layer)(x))


@FORWARD_MODE
@BOTH_FORMS
def test_forward_mode_alone_and_nested(plain: bool) -> None:
    layer, x = Activation(SWISH, 4, plain=plain).double(), torch.randn(2, 4, dtype=torch.float64)
    torch.testing.assert_close(jacfwd(layer)(x), jacrev(layer)(x))
    torch.testing.assert_close(hessian(layer)(x), jacrev(jacrev(layer))(x))
    torch.testing.assert_close(jacfwd(jacfwd(layer))(x), jacrev(jacrev(layer))(x))
    line = torch.linspace(-2, 2, 9, dtype=torch.float64).requires_grad_()
    scalar = Activation(parse("x*sigmoid(1.3*x)"), plain=plain)
    second = jvp(lambda y: jvp(scalar, (y,), (torch.ones_like(y),))[1], (line,), (torch.ones_like(line),))[1]
    torch.testing.assert_close(second, value_at(derivative(derivative(scalar.expression)), line))


@BOTH_FORMS
def test_activation_checkpoints_and_writing_into_the_output(plain: bool) -> None:
    layer, x = Activation(SWISH, 4, plain=plain), torch.randn(5, 4, requires_grad=True)
    (expected,) = torch.autograd.grad(layer(x).sum(), x)
    (found,) = torch.autograd.grad(checkpoint(layer, x, use_reentrant=False).sum(), x)
    assert found.equal(expected)
    (found,) = torch.autograd.grad(layer(x * 1).add_(1.0).sum(), x)
    assert found.equal(expected)
    with torch.inference_mode():
        assert layer(x).equal(layer(x))


def test_replace_counts_and_gives_each_place_its_own() -> None:
    shared = nn.ReLU()
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Sequential(shared, nn.Tanh(), shared))
    assert replace(model, nn.ReLU, parse("a*x+sin(x); a=1")) == 2
    assert model.get_submodule("2.0") is model.get_submodule("2.2")
    assert model[1] is not model.get_submodule("2.0")
    assert len(list(model.parameters())) == 4
    assert replace(model, nn.ReLU, parse("sin(x)")) == 0
    assert replace(model, (nn.Tanh, Activation), nn.GELU) == 3
