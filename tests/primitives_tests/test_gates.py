"""Gates: functions of two inputs, with derivatives of both, and roots that give each place a function."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from primitives import Activation, ExpressionError, canonical, fingerprint, parse, same_function, value_at
from primitives.expression.derivative import derivative
from primitives.expression.expression import at_place

GATES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "silu(x)*z": lambda x, z: F.silu(x) * z,
    "gelu(x)*z": lambda x, z: F.gelu(x) * z,
    "relu(x)*relu(z)": lambda x, z: torch.relu(x) * torch.relu(z),
    "sigmoid(x)*z": lambda x, z: F.glu(torch.cat([z, x], dim=-1), dim=-1),
    "x*z": lambda x, z: x * z,
}


COMPILES = pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own


def two(*shape: int) -> tuple[Tensor, Tensor]:
    values = torch.randn((2, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return values[0].clone().requires_grad_(), values[1].clone().requires_grad_()


@pytest.mark.parametrize("plain", [False, True], ids=["fused", "plain"])
@pytest.mark.parametrize("text", GATES)
def test_torch_agrees(text: str, plain: bool) -> None:
    gate, (x, z) = Activation(parse(text), plain=plain), two(5, 7)
    own, expected = gate(x, z), GATES[text](x, z)
    torch.testing.assert_close(own, expected, rtol=1e-13, atol=1e-13)
    for mine, theirs in zip(
        torch.autograd.grad(own.sum(), (x, z)), torch.autograd.grad(expected.sum(), (x, z)), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("plain", [False, True], ids=["fused", "plain"])
@pytest.mark.parametrize("text", ["silu(beta*x)*z+w*z; beta=1, w=0.5:channel", "exp(-z*z)*x", "z*mish(x)"])
def test_derivatives_of_both_inputs_and_parameters(text: str, plain: bool) -> None:
    gate, inputs = Activation(parse(text), 3, plain=plain, dtype=torch.float64), two(4, 3)
    assert gradcheck(gate, inputs)
    assert gradgradcheck(gate, inputs)

    if not gate.expression.is_learnable:
        return

    def of_parameters(*values: Tensor) -> Tensor:
        named = dict(zip((name for name, _ in gate.named_parameters()), values, strict=True))
        result: Tensor = torch.func.functional_call(gate, named, inputs)
        return result

    assert gradcheck(of_parameters, tuple(p.detach().clone().requires_grad_() for p in gate.parameters()))


def test_a_derivative_by_the_second_input() -> None:
    assert canonical(derivative(parse("silu(x)*z"), "z")) is parse("silu(x)")
    assert derivative(parse("sin(x)"), "z") is parse("0")
    x, z = two(9)
    slope = value_at(derivative(parse("sin(x*z)"), "z"), x.detach(), z=z.detach())
    torch.testing.assert_close(slope, (torch.cos(x * z) * x).detach())


@COMPILES
def test_under_compilation() -> None:
    gate, (x, z) = Activation(parse("silu(x)*z")), two(4, 3)
    compiled = torch.compile(gate, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, z), F.silu(x) * z)
    own = torch.autograd.grad(compiled(x, z).square().sum(), (x, z))
    torch.testing.assert_close(own, torch.autograd.grad((F.silu(x) * z).square().sum(), (x, z)))


def test_autocast_keeps_the_type() -> None:
    x, z = (each.detach().float() for each in two(4, 3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert Activation(parse("silu(x)*z"))(x, z).dtype == torch.float32
    assert Activation(parse("silu(x)*z"))(x.half(), z.half()).dtype == torch.float16


SAME = [
    ("silu(x)*z", "z*x*sigmoid(x)"),
    ("rms_c(x)", "sqrt(mean_c(x*x)+1e-5)"),
    ("var_np(x)", "mean_np(x**2)-mean_np(x)**2"),
    ("exp(x-max_c(x))/sum_c(exp(x-max_c(x)))", "exp(x)/sum_c(exp(x))"),
    ("mean_np(mean_p(x))", "mean_np(x)"),
    ("layers(relu(x),x*sigmoid(x))", "layers(relu(x),silu(x))"),
    ("layers(relu(x),relu(x),silu(x),silu(x))", "layers(relu(x),silu(x))"),
    ("layers(relu(x),relu(x))", "relu(x)"),
    ("layers(tanh(a*x),sin(a*x)); a=1", "layers(tanh(a*x),sin(b*x)); a=1, b=1"),
]
DIFFERENT = [
    ("std_cp(x)", "std_gp(x)"),
    ("x/std_np(x)", "x/std_p(x)"),
    ("relu(x)*z", "relu(z)*x"),
    ("relu(x)*z", "relu(x)*x"),
    ("paired(relu(x),relu(x+0.1))", "relu(x)"),
    ("paired(relu(x),relu(x+0.1))*z", "relu(x)*z"),
    ("paired(relu(x),silu(x))/rms_c(x)", "relu(x)/rms_c(x)"),
    ("layers(relu(x),silu(x))", "layers(silu(x),relu(x))"),
    ("layers(relu(x),silu(x))", "layers(relu(x),relu(x),silu(x))"),
    ("layers(tanh(a*x),sin(a*x)); a=1:network", "layers(tanh(a*x),sin(b*x)); a=1:network, b=1:network"),
    ("x*w/std_cp(x); w=1:channel", "x*w/std_cp(x); w=1"),
]


@pytest.mark.parametrize(("left", "right"), SAME)
def test_one_class(left: str, right: str) -> None:
    f, g = parse(left), parse(right)
    assert fingerprint(f) == fingerprint(g)
    assert same_function(f, g)
    assert same_function(g, f, scale=True)


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_two_classes(left: str, right: str) -> None:
    f, g = parse(left), parse(right)
    assert fingerprint(f).exact != fingerprint(g).exact
    assert fingerprint(f).scale != fingerprint(g).scale
    assert not same_function(f, g, scale=True)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("sum_c(x)", "8*mean_c(x)"),  # equal where there are 8 channels
        ("x/sum_np(abs(x))", "x/mean_np(abs(x))"),
        ("sum_gp(x)*z", "mean_gp(x)*z"),
        ("x*sigmoid(b*x); b=1:network", "x*sigmoid(b*x); b=1"),
        ("x*sigmoid(b*x); b=1:channel", "x*sigmoid(b*x); b=1"),
    ],
)
def test_no_size_and_no_granularity_is_passed_over(left: str, right: str) -> None:
    assert not same_function(parse(left), parse(right), scale=True)


def test_a_factor_is_one_class_of_scale() -> None:
    for left, right in (("silu(x)*z", "3*silu(x)*z"), ("layers(relu(x),sin(x))", "layers(2*relu(x),0.1*sin(x))")):
        assert fingerprint(parse(left)).scale == fingerprint(parse(right)).scale
        assert fingerprint(parse(left)).exact != fingerprint(parse(right)).exact
        assert same_function(parse(left), parse(right), scale=True)
        assert not same_function(parse(left), parse(right))


@pytest.mark.parametrize("places", range(1, 9))
def test_places_of_a_root(places: int) -> None:
    """As many places as parts, fewer and more: equal runs, in order, all of the same lengths up to one."""
    root = parse("layers(x,sin(x),cos(x))")
    taken = [root.parts.index(at_place(root, number, places)) for number in range(places)]
    assert taken == sorted(taken) == [number * 3 // places for number in range(places)]
    lengths = [taken.count(part) for part in range(3)]
    assert max(lengths) - min(lengths) <= 1
    assert at_place(parse("relu(x)"), places - 1, places) is parse("relu(x)")
    fewer = canonical(parse("layers(x,x,sin(x),sin(x),cos(x),cos(x))"))
    assert fewer is root
    assert [at_place(parse("layers(x,x,sin(x),sin(x),cos(x),cos(x))"), n, places) for n in range(places)] == [
        at_place(fewer, n, places) for n in range(places)
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("relu(layers(x,x))", r"position 0: layers\(...\) holds one function per place, so it stands at the front"),
        ("1+layers(x,x)", "position 1: .*stands at the front"),
        ("layers(layers(x,x),x)", "stands at the front"),
        ("layers()", r"got '\)'"),
        ("layer(x,x)", "unknown operator 'layer'; did you mean 'layers'"),
        ("mean_n(x)", "unknown operator 'mean_n'; did you mean 'mean_np'"),
        ("mean(x)", "unknown operator 'mean'; did you mean 'mean_"),
        ("beta*x; z=1, beta=1", "'z' has a meaning already"),
    ],
)
def test_messages(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        parse(text)


def test_values_need_their_inputs() -> None:
    x, z = (each.detach() for each in two(3))
    with pytest.raises(ExpressionError, match="has a second input; give it as z="):
        value_at(parse("x*z"), x)
    with pytest.raises(ExpressionError, match="take one of its parts"):
        value_at(parse("layers(x,sin(x))"), x)
    with pytest.raises(ExpressionError, match="has no parameter 'z'"):
        value_at(parse("sin(x)"), x, z=z)
    for text in ("mean_np(x)", "layers(x,sin(x))"):
        with pytest.raises(ExpressionError, match="expected a function of one element to derive"):
            derivative(parse(text))
