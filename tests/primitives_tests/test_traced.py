"""Layers under torch.compile and torch.export: one graph, our gradients, and what torch itself refuses."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, jvp, vmap

from primitives import Activation, Expression, parse, value_at
from primitives.layers.traced import plain_form

# torch's own, while it traces
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]

TEXTS = [
    "x*sigmoid(beta*x); beta=1.3:channel",
    "where(x>a,sin(x),b*x); a=0.1, b=0.2:channel",
    "max(x,x*tanh(softplus(x)))",
    "x",
    "b; b=2:channel",
]
SHAPES = [(6, 4), (3, 5, 4), (2, 4, 3, 3), (4,)]
OVERFLOWING = ["x*exp(-exp(-x))", "x/(1+exp(-x))", "where(x>0,x,expm1(x))", "elish(x)"]


@pytest.fixture(autouse=True)
def _nothing_compiled_before() -> Iterator[None]:
    # torch compiles one piece of code at most eight times
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def inductor() -> Iterator[str]:
    """The compiler's own backend; skip where it cannot run, for lack of a C++ compiler or of support.

    It keeps the code that it writes for later processes, under a key that the width of vectors is no part of. Code
    that a process with ``ATEN_CPU_CAPABILITY=avx2`` left was compiled here for vectors twice as wide, wrote beyond its
    tensors and aborted the process. So nothing is taken from there.
    """
    with (
        torch._inductor.config.patch(fx_graph_cache=False),
        torch._functorch.config.patch(enable_autograd_cache=False),
    ):
        try:
            torch.compile(torch.sin, fullgraph=True)(torch.ones(2))
        except Exception as error:
            pytest.skip(f"torch.compile cannot run here: {type(error).__name__}: {str(error)[:200]}")
        yield "inductor"


def one_graph(function: Callable[..., Tensor], backend: str = "aot_eager") -> Callable[..., Tensor]:
    return torch.compile(function, backend=backend, fullgraph=True)


def value_and_gradients(function: Callable[..., Tensor], layer: nn.Module, x: Tensor) -> list[Tensor]:
    leaves = [x.detach().clone(memory_format=torch.preserve_format).requires_grad_(), *layer.parameters()]
    y = function(leaves[0])
    return [y, *torch.autograd.grad(y.square().sum(), leaves, allow_unused=True, materialize_grads=True)]


def assert_compiled_equals_eager(layer: nn.Module, x: Tensor, backend: str) -> None:
    found = value_and_gradients(one_graph(layer, backend), layer, x)
    for mine, theirs in zip(found, value_and_gradients(layer, layer, x), strict=True):
        torch.testing.assert_close(mine, theirs)
        assert mine.stride() == theirs.stride()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("text", TEXTS)
def test_one_graph_gives_value_and_gradients_of_eager_mode(text: str, shape: tuple[int, ...]) -> None:
    assert_compiled_equals_eager(Activation(parse(text), 4), torch.randn(shape), "aot_eager")


def test_a_pair_has_its_own_gradient_in_compiled_code_and_computes_its_second_part_for_that_alone() -> None:
    layer, x = Activation(parse("paired(sign(x),sin(b*x)); b=0.7")), torch.randn(6, 4)
    assert_compiled_equals_eager(layer, x, "aot_eager")
    leaf = x.clone().requires_grad_()
    derived = torch.export.export(layer, (x,)).module()
    (slope,) = torch.autograd.grad(derived(leaf).sum(), leaf)
    torch.testing.assert_close(slope, 0.7 * torch.cos(0.7 * x))
    with torch.no_grad():
        inference = torch.export.export(layer, (x,))
    assert "sin" not in inference.graph_module.code
    torch.testing.assert_close(inference.module()(x), torch.sign(x))


def test_images_with_channels_last_stay_so() -> None:
    x = torch.randn(2, 4, 3, 5).to(memory_format=torch.channels_last)
    assert_compiled_equals_eager(Activation(parse(TEXTS[0]), 4), x, "aot_eager")


def assert_gradient_stays_finite(backend: str) -> None:
    x = torch.linspace(-100, 100, 401, requires_grad=True)
    for text in OVERFLOWING:
        (slope,) = torch.autograd.grad(one_graph(Activation(parse(text)), backend)(x).sum(), x)
        assert torch.isfinite(slope).all(), text


def test_compiled_gradients_are_ours_where_torchs_are_nan() -> None:
    assert_gradient_stays_finite("aot_eager")
    x = torch.linspace(-100, 100, 401, requires_grad=True)
    plain = one_graph(Activation(parse(OVERFLOWING[0]), plain=True))
    assert torch.autograd.grad(plain(x).sum(), x)[0].isnan().any()


@pytest.mark.slow
def test_compiled_code_gives_value_and_gradients_of_eager_mode(inductor: str) -> None:
    for text in TEXTS:
        assert_compiled_equals_eager(Activation(parse(text), 4), torch.randn(6, 4), inductor)
    torch._dynamo.reset()
    assert_gradient_stays_finite(inductor)


def test_a_compiled_network_trains_and_keeps_four_bytes_an_element(inductor: str) -> None:
    torch.manual_seed(0)
    layers = [Activation(parse(t), 8) for t in ("x*sigmoid(b*x)+0.1*sin(x); b=1:channel", "x*tanh(softplus(x))*erf(x)")]
    model = nn.Sequential(nn.Linear(4, 8), layers[0], nn.Linear(8, 8), layers[1], nn.Linear(8, 1))
    assert_compiled_equals_eager(model, torch.randn(16, 4), inductor)
    saved: list[int] = []
    x = torch.randn(1000, 8, requires_grad=True)

    def counted(tensor: Tensor) -> Tensor:
        saved.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(counted, lambda t: t):
        one_graph(layers[1], inductor)(x)
    assert sum(saved) <= 4 * x.numel()


@pytest.mark.slow
def test_one_graph_serves_every_batch_size(inductor: str) -> None:
    layer = Activation(parse(TEXTS[0]), 4)
    compiled = torch.compile(layer, fullgraph=True, dynamic=True, backend=inductor)
    for rows in (5, 9, 33):
        x = torch.randn(rows, 4, requires_grad=True)
        compiled(x).sum().backward()
        torch.testing.assert_close(compiled(x), layer(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_types_are_kept_inside_and_outside_of_autocast(dtype: torch.dtype) -> None:
    layer, x = Activation(parse(TEXTS[0]), 4), torch.randn(6, 4)

    def inside(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return layer(x)

    assert one_graph(inside)(x.requires_grad_()).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert one_graph(layer)(x.detach().to(dtype)).dtype == dtype


TRANSFORMED = {
    "no gradient wanted": lambda layer: torch.no_grad()(layer),
    "vmap": lambda layer: vmap(layer),
    "gradient of each row": lambda layer: vmap(grad(lambda row: layer(row).sum())),
    "jacobian": lambda layer: jacrev(layer),
    "forward mode": lambda layer: lambda x: jvp(layer, (x,), (x,))[1],
    "functional call": lambda layer: lambda x: functional_call(layer, dict(layer.named_parameters()), (x,)),
}


@pytest.mark.parametrize("transformed", TRANSFORMED.values(), ids=TRANSFORMED)
def test_transforms_inside_of_compiled_code(transformed: Callable[[nn.Module], Callable[[Tensor], Tensor]]) -> None:
    layer, x = Activation(parse(TEXTS[0]), 4), torch.randn(3, 4)
    torch.testing.assert_close(one_graph(transformed(layer))(x), transformed(layer)(x))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.ones(3, 5), "expected 4 channels in the last dimension"),
        (torch.ones(3, 4).int(), "expected a floating point"),
    ],
)
def test_a_wrong_input_is_named_in_compiled_code(x: Tensor, message: str) -> None:
    layer = Activation(parse(TEXTS[0]), 4)
    with pytest.raises(Exception, match=message):
        one_graph(layer)(x)
    with pytest.raises(Exception, match=message):
        torch.compile(layer, backend="aot_eager")(x)


@pytest.mark.parametrize("plain", [False, True])
def test_torch_refuses_second_derivatives_of_compiled_code(plain: bool) -> None:
    x = torch.randn(5, requires_grad=True)
    y = one_graph(Activation(parse("x*tanh(x)"), plain=plain))(x)
    with pytest.raises(RuntimeError, match=r"double backward|donated buffers"):
        torch.autograd.grad(torch.autograd.grad(y.sum(), x, create_graph=True)[0].sum(), x)


# -- export


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("text", TEXTS[:4])
def test_an_exported_layer_is_its_operators_and_takes_any_batch(text: str, strict: bool) -> None:
    layer, rows = Activation(parse(text), 4), torch.export.Dim("rows", min=2, max=512)
    exported = torch.export.export(layer, (torch.randn(3, 4),), dynamic_shapes=({0: rows},), strict=strict)
    for count in (2, 7, 400):
        x = torch.randn(count, 4)
        torch.testing.assert_close(exported.module()(x), layer(x))
    operators = [node for node in exported.graph.nodes if node.op == "call_function"]
    assert all("autocast" not in str(node.target) and "autograd" not in str(node.target) for node in operators)
    # a comparison and its selection are two
    assert len(operators) <= 2 * len(plain_form(layer.expression).value.steps)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_exported_layer_is_saved_and_loaded(shape: tuple[int, ...]) -> None:
    layer, x, file = Activation(parse(TEXTS[0]), 4), torch.randn(shape), io.BytesIO()
    torch.export.save(torch.export.export(layer, (x,)), file)
    file.seek(0)
    torch.testing.assert_close(torch.export.load(file).module()(x), layer(x))


def test_a_plain_form_copies_as_its_expression() -> None:
    expression: Expression = parse("where(x>0,x,a); a=1")
    form = plain_form(expression)
    assert copy.deepcopy(form).expression is expression
    x, a = torch.randn(5), torch.ones(())
    assert form(x, [a]).equal(value_at(expression, x))
    value, by_a = form.gradients(torch.ones(5), x, [a])
    assert value.equal((x > 0).float())
    assert by_a == (x <= 0).sum()
