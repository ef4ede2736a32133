"""``paired(f, g)``: the value of f and the derivative of g, in every form of a layer, class and exported file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad, grad, gradcheck

from primitives import Activation, Operator, analyse, canonical, catalogue, known_name, parse, register, value_at
from primitives.equivalence.builtin import as_builtin
from primitives.equivalence.classes import fingerprint, has_own_slope, same_function
from primitives.errors import OperatorError
from primitives.expression.derivative import derivative
from primitives.lowering import files
from tests.primitives_tests.loading import loaded

# torch loads decompositions for forward mode by way of its own deprecated torch.jit.script
FORWARD_MODE = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
HELU = "paired(relu(x),relu(x+0.1))"
BIPER = "paired(sign(sin(x)),sin(x))"
INSIDE = "x*exp(paired(sign(x),b*x)+c*x); b=0.7, c=-0.2:channel"  # by the product rule, whose factors are values


@pytest.mark.parametrize("plain", [False, True], ids=["fused", "plain"])
@pytest.mark.parametrize(("text", "slope"), [(HELU, "relu(x+0.1)"), (BIPER, "sin(x)"), ("paired(1,x**3)", "x**3")])
def test_a_layer_has_the_derivatives_of_the_second_part(text: str, slope: str, plain: bool) -> None:
    layer = Activation(parse(text), plain=plain)
    x = torch.linspace(-2.0, 2.3, 11, dtype=torch.float64, requires_grad=True)
    value, own = layer(x), parse(slope)
    torch.testing.assert_close(value, value_at(parse(text), x), rtol=0, atol=0)
    for _ in range(3):
        value, own = grad(value.sum(), x, create_graph=True)[0], derivative(own)
        torch.testing.assert_close(value, value_at(own, x.detach()), rtol=1e-12, atol=1e-12)
        if not value.requires_grad:
            break


@FORWARD_MODE
@pytest.mark.parametrize("text", [HELU, BIPER, INSIDE])
def test_all_ways_of_torch_give_one_derivative(text: str) -> None:
    f = parse(text)
    layer, x = (
        Activation(f, channels=5, dtype=torch.float64),
        torch.linspace(-2.0, 2.3, 15, dtype=torch.float64).view(3, 5),
    )
    expected = value_at(derivative(f), x)

    def total(x: Tensor) -> Tensor:
        return layer(x).sum()

    with forward_ad.dual_level():
        forward = forward_ad.unpack_dual(layer(forward_ad.make_dual(x, torch.ones_like(x)))).tangent
    leaf = x.clone().requires_grad_()
    by_value = grad(value_at(f, leaf).sum(), leaf)[0]
    per_sample = torch.func.vmap(torch.func.grad(total))(x)
    for found in (forward, torch.func.grad(total)(x), by_value, per_sample):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_a_parameter_of_the_first_part_alone_gets_no_gradient() -> None:
    layer = Activation(parse("paired(a*sign(x),b*x); a=2, b=3")).double()
    x = torch.tensor([-1.0, 0.5, 2.0], dtype=torch.float64)
    a, b = grad(layer(x).sum(), [layer.get_parameter("a"), layer.get_parameter("b")])
    assert (a.item(), b.item()) == (0.0, 1.5)


def test_second_derivatives_are_consistent() -> None:
    """The gradient, as a function of everything, is differentiated as it is: differences agree."""
    slope, x = derivative(parse(INSIDE)), torch.tensor([-1.3, -0.2, 0.4, 1.9], dtype=torch.float64)
    layer = Activation(slope, channels=1).double()
    inputs = tuple(t.requires_grad_() for t in (x, *(p.detach().clone() for p in layer.parameters())))
    names = [name for name, _ in layer.named_parameters()]

    def call(x: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    (first,) = grad(call(*inputs).sum(), inputs[0], create_graph=True)
    torch.testing.assert_close(first, value_at(derivative(slope), x.detach()))
    smooth = Activation(parse("paired(relu(x),x**3)")).double()
    assert gradcheck(lambda x: grad(smooth(x).sum(), x, create_graph=True)[0], inputs[0])


def test_the_second_part_is_not_computed_for_values() -> None:
    f = parse("paired(relu(x),sqrt(x))")
    assert bool(value_at(f, torch.tensor([-1.0, 4.0])).isfinite().all())
    assert Activation(f, plain=True)(torch.tensor([-1.0, 4.0])).tolist() == [0.0, 4.0]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("paired(relu(x),relu(x))", "relu(x)"),
        ("paired(paired(relu(x),x**2),sin(x))", "paired(relu(x),sin(x))"),
        ("paired(relu(x),paired(x,sin(x)))", "paired(relu(x),sin(x))"),
        ("paired(relu(x),sin(x)+1)", "paired(relu(x),sin(x))"),
        ("paired(2,3)*x", "x*2"),
        ("x*paired(1,x)", "x*paired(1,x)"),
    ],
)
def test_canonical_form(text: str, form: str) -> None:
    assert canonical(parse(text)).text == form


def test_classes_tell_derivatives_apart() -> None:
    relu, helu = parse("relu(x)"), parse(HELU)
    assert has_own_slope(helu)
    assert not same_function(relu, helu)
    assert not same_function(helu, parse("paired(relu(x),relu(x+0.2))"))
    assert fingerprint(relu).exact != fingerprint(helu).exact
    assert as_builtin(helu) is helu
    same = parse("paired(max(x,0),0.5*(x+0.1)+0.5*abs(x+0.1))")
    assert fingerprint(same) == fingerprint(helu)
    assert same_function(same, helu)
    twice = parse("paired(3*relu(x),3*relu(x+0.1))")
    assert fingerprint(twice).scale == fingerprint(helu).scale
    assert same_function(twice, helu, scale=True)
    assert fingerprint(parse("paired(1-relu(x),-relu(x+0.1))")).affine == fingerprint(helu).affine


def test_a_pair_of_equal_derivatives_is_the_function_itself() -> None:
    f = parse("paired(relu(x),max(x,0))")
    assert not has_own_slope(f)
    assert fingerprint(f) == fingerprint(parse("relu(x)"))
    assert as_builtin(f).text == "relu(x)"


def test_the_shape_is_that_of_the_values_and_gradients_are_those_of_the_slope() -> None:
    found, relu = analyse(parse(HELU)), analyse(parse("relu(x)"))
    assert found.shape == relu.shape
    assert found.gaussian is not None
    assert relu.gaussian is not None
    assert found.gaussian.second == relu.gaussian.second
    assert found.gaussian.slope == pytest.approx(0.5398278)  # P(z > -0.1)


def test_known_names_see_the_derivative() -> None:
    assert (match := known_name(parse("relu(x)"))) is not None
    assert match.name == "ReLU"
    match = known_name(parse("paired(relu(x),sin(x)+x)"), input_scale=True, input_shift=True)
    assert match is None


def test_an_operator_with_a_pair_is_refused() -> None:
    with pytest.raises(OperatorError, match=r"paired\(f, g\) is for expressions and grammars"):
        register(Operator(name="helu", formula="paired(relu(a),relu(a+0.1))"))


@pytest.mark.parametrize("target", ["torch", "numpy", "sympy", "onnx", "jax", "triton"])
@pytest.mark.parametrize("text", [HELU, BIPER, INSIDE.replace(":channel", "")])
def test_self_tests_of_exported_files_pass(text: str, target: str, tmp_path: Path) -> None:
    for name, content in files(parse(text), target, name="act_1", factor=1.2).items():
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    (test,) = tmp_path.glob("test_*.py")
    done = subprocess.run([sys.executable, test.name], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@FORWARD_MODE
def test_the_exported_plain_form_and_higher_derivatives_of_torch(tmp_path: Path) -> None:
    f = parse(INSIDE.replace(":channel", ""))
    module = loaded(str(next(iter(files(f, "torch", name="act_1").values()))), tmp_path / "act_1.py")
    x = torch.linspace(-2.0, 2.3, 11, dtype=torch.float64, requires_grad=True)
    for function in (module.act_1, module.act_1_plain):
        value, own = function(x), f
        for _ in range(2):
            (value,) = grad(value.sum(), x, create_graph=True)
            own = derivative(own)
            torch.testing.assert_close(value, value_at(own, x.detach()), rtol=1e-10, atol=1e-10)
    forward = torch.func.jvp(module.act_1_plain, (x.detach(),), (torch.ones_like(x),))[1]
    torch.testing.assert_close(forward, value_at(derivative(f), x.detach()), rtol=1e-10, atol=1e-10)


def _steps(x: Tensor, heights: list[float], borders: list[float]) -> Tensor:
    total = torch.zeros_like(x)
    for height, border in zip(heights, borders, strict=True):
        total = total + height * (x > border).double()
    return total


def _sugar(x: Tensor) -> Tensor:
    s = torch.sigmoid(x)
    return s + (x + 1.67) * s * (1 - s)


#: The rule for the gradient, as the sources have it.
RULES: dict[str, Callable[[Tensor], Tensor]] = {
    "HeLU": lambda x: (x > -0.05).double(),
    "BiPer": lambda x: 20 * torch.cos(20 * x),
    "Sign with clipped-triangle backward": lambda x: (2 - 2 * x.abs()).clamp(min=0),
    "Sign with straight-through backward": lambda x: (x.abs() <= 1).double(),
    "Step with straight-through backward": torch.ones_like,
    "ReGELU2": lambda x: _steps(
        x,
        [-0.04922261145617846, 1.0979632065417297, -0.048740595085551286],
        [-3.1858810036855245, -0.001178821281161997, 3.190832613414926],
    ),
    "ReSiLU2": lambda x: _steps(
        x,
        [-0.04060357190528599, 1.080925428529668, -0.040321856624382146],
        [-6.3050461001646445, -0.0008684942046214787, 6.325815242089708],
    ),
    "SUGAR with B-SiLU": _sugar,
    "SUGAR with NeLU": lambda x: torch.where(x > 0, 1.0, 0.4 * x / (1 + x * x) ** 2),
}


def test_known_pairs_have_the_rule_of_their_source() -> None:
    pairs = {known.name: known.expression for known in catalogue() if known.expression.is_paired}
    assert pairs.keys() == RULES.keys()
    x = torch.linspace(-8.0, 8.0, 641, dtype=torch.float64) + 2**0.5 / 1000
    for name, f in pairs.items():
        torch.testing.assert_close(value_at(derivative(f), x), RULES[name](x), rtol=1e-12, atol=1e-12, msg=name)
        assert (match := known_name(f)) is not None
        assert (match.name, match.relation) == (name, "equal")
