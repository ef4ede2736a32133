"""Lowering: the generated module computes what the expression computes, and the formula reads as meant."""

from __future__ import annotations

import ast
import copy
import importlib.util
import itertools
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from primitives.catalogue import catalogue
from primitives.equivalence.builtin import as_builtin
from primitives.errors import LoweringError
from primitives.expression.application import apply
from primitives.expression.derivative import derivative
from primitives.expression.evaluation import evaluate, value_at
from primitives.expression.expression import Expression, constant, parameter, variable
from primitives.expression.parsing import parse
from primitives.lowering import lower, targets
from primitives.operators.table import elementwise_operators

Load = Callable[..., ModuleType]

_GRID = [0.0, 1e-300, 1e-30, 1e-8, 0.005, 0.1, 0.5, 0.7, 1.0, 1.3, 2.0, 3.0, 5.0, 6.0, 12.5, 50.0, 800.0, 1e4, 1e30]
GRID = torch.tensor([sign * value for value in _GRID for sign in (1.0, -1.0)], dtype=torch.float64)


def text(expression: Expression, target: str, **options: Any) -> str:
    """What a target of text writes."""
    written = lower(expression, target, **options)
    assert isinstance(written, str)
    return written


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Writes the source of an expression to a file and imports it."""
    number = itertools.count()
    loaded: list[str] = []

    def load(expression: Expression, name: str = "act", factor: float = 1.0) -> ModuleType:
        stem = f"lowered_{next(number)}"
        path = tmp_path / f"{stem}.py"
        path.write_text(text(expression, "torch", name=name, factor=factor), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[stem] = module
        loaded.append(stem)
        spec.loader.exec_module(module)
        return module

    yield load
    for stem in loaded:
        del sys.modules[stem]


NAMES = [name for name in elementwise_operators() if name != "paired"]  # whose tests are in test_pairs


def random_expression(rng: random.Random, first: str, depth: int = 4) -> Expression:
    """A random tree with the given operator on top."""
    args = [
        random_leaf(rng) if depth == 1 or rng.random() < 0.25 else None
        for _ in range(elementwise_operators()[first].arity)
    ]
    chosen = [arg or random_expression(rng, rng.choice(NAMES), depth - 1) for arg in args]
    return apply(first, *chosen)


def random_leaf(rng: random.Random) -> Expression:
    leaves = [variable(), variable(), constant(rng.choice([-2.0, 0.3, 2.0, 0.0])), parameter("lambda", 0.7)]
    return rng.choice([*leaves, parameter("a", -1.3, per="channel")])


def random_expressions() -> list[Expression]:
    rng = random.Random(7)
    return [random_expression(rng, name) for name in NAMES] + [random_expression(rng, "where") for _ in range(12)]


ALL = {known.name: known.expression for known in catalogue()} | {f"random {f.text}": f for f in random_expressions()}


@pytest.mark.parametrize("f", ALL.values(), ids=[str(number) for number in range(len(ALL))])
def test_value_and_gradient(f: Expression, load: Load) -> None:
    factor, form = 1.23, as_builtin(f)
    act = load(f, factor=factor).act
    x = GRID.clone().requires_grad_()
    value = act(x)
    torch.testing.assert_close(value, factor * value_at(form, GRID), rtol=1e-12, atol=0.0, equal_nan=True)
    (slope,) = torch.autograd.grad(value.sum(), x)
    expected = factor * evaluate((derivative(form),), GRID, f.initial_values)[0]
    known = torch.isfinite(expected)
    torch.testing.assert_close(slope[known], expected[known], rtol=1e-9, atol=0.0)


@pytest.mark.parametrize("f", [f for f in ALL.values() if f.parameters], ids=lambda f: f.text[:40])
def test_parameter_gradients(f: Expression, load: Load) -> None:
    module = load(f).Act(channels=3)
    module.double()
    x = torch.randn(16, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.1
    x = x[torch.isfinite(value_at(f, x)).all(dim=1)]  # where the value is no number, neither is a gradient
    own = dict(zip((p.name for p in f.parameters), module.parameters(), strict=True))
    reference = {p.name: own[p.name].detach().clone().requires_grad_() for p in f.parameters}
    expected_value = value_at(f, x, **reference)
    value = module(x)
    torch.testing.assert_close(value, expected_value, rtol=1e-12, atol=0.0, equal_nan=True)
    actual = torch.autograd.grad(value.sum(), list(own.values()))
    needed = (
        torch.autograd.grad(expected_value.sum(), list(reference.values()), allow_unused=True, materialize_grads=True)
        if expected_value.requires_grad
        else [torch.zeros_like(v) for v in reference.values()]
    )
    # torch's own backward of hardsigmoid multiplies by a sixth in float32, whatever the dtype
    rtol = 1e-7 if "hard_sigmoid" in f.text else 1e-9
    for a, b in zip(actual, needed, strict=True):
        assert a.shape == b.shape
        known = torch.isfinite(b)
        torch.testing.assert_close(a[known], b[known], rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("text", ["gelu(x)", "silu(x)", "x*sigmoid(b*x); b=1.3", "tanh(x)**2", "x"])
def test_the_gradient_can_be_differentiated(text: str, load: Load) -> None:
    act = load(parse(text)).act
    x = torch.linspace(-3, 3, 25, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(act, (x,))
    assert torch.autograd.gradgradcheck(act, (x,))


def test_both_forms_under_vmap_give_the_same_gradient(load: Load) -> None:
    module = load(parse("x*sigmoid(beta*x)+sin(g*x); beta=1, g=0.5"), factor=0.7)
    x = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    betas = torch.linspace(0.5, 1.5, 5, dtype=torch.float64)

    def gradients(act: Callable[..., Tensor]) -> Tensor:
        by_both = torch.func.grad(lambda x, beta: act(x, beta).sum(), argnums=(0, 1))
        return torch.cat([g.reshape(5, -1) for g in torch.vmap(by_both)(x, betas)], dim=1)

    torch.testing.assert_close(gradients(module.act), gradients(module.act_plain), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize(
    "text", ["exp(x)*softplus(x)", "where(x>0,1,0)", "max(x,b)/3; b=0.5", "5", "b; b=2", "x", "3/x"]
)
def test_dtype_is_kept(dtype: torch.dtype, text: str, load: Load) -> None:
    module = load(parse(text)).Act()
    x = torch.linspace(-2, 2, 9).to(dtype).requires_grad_()
    for scope in (torch.autocast("cpu", enabled=False), torch.autocast("cpu", dtype=torch.bfloat16)):
        with scope:
            value = module(x)
            assert value.dtype == dtype
            assert value.shape == x.shape
            assert value.data_ptr() != x.data_ptr()
            (gradient,) = torch.autograd.grad(value.sum(), x)
        assert gradient.dtype == dtype


@pytest.mark.parametrize(("shape", "dim"), [((4, 3), 1), ((2, 5, 3), 2), ((2, 3, 4, 5), 1), ((2, 3, 2, 2, 2), 1)])
def test_channels(shape: tuple[int, ...], dim: int, load: Load) -> None:
    module = load(parse("a*x; a=2:channel")).Act(channels=3, dtype=torch.float64)
    with torch.no_grad():
        module.a.copy_(torch.tensor([1.0, 2.0, 3.0]))
    value = module(torch.ones(shape, dtype=torch.float64))
    expected = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64).view(
        [3 if i == dim else 1 for i in range(len(shape))]
    )
    torch.testing.assert_close(value, expected.expand(shape))
    value.sum().backward()
    assert module.a.grad.shape == (3,)
    with pytest.raises(ValueError, match="expected 3 channels in"):
        module(torch.ones([1] * len(shape), dtype=torch.float64))


def test_shapes_without_data(load: Load) -> None:
    module = load(parse("x*sigmoid(b*x)+b; b=1")).Act(device="meta")
    assert module(torch.empty(2, 3, device="meta")).shape == (2, 3)


def test_channels_are_required_where_needed(load: Load) -> None:
    with pytest.raises(ValueError, match="need the number of channels, got None"):
        load(parse("a*x; a=2:channel")).Act()


def test_module_life(load: Load) -> None:
    source = load(parse("a*relu(x)+b*x; a=2, b=0.5:channel"), name="two_slopes_2")
    module = source.TwoSlopes2(4, device="cpu", dtype=torch.float64)
    assert [(name, tuple(p.shape)) for name, p in module.named_parameters()] == [("a", (1,)), ("b", (4,))]
    assert repr(module) == "TwoSlopes2(channels=4, inplace=False)"
    with torch.no_grad():
        module.a.fill_(9.0)
    twin = copy.deepcopy(module)
    other = source.TwoSlopes2(4, dtype=torch.float64)
    other.load_state_dict(module.state_dict())
    x = torch.randn(5, 4, dtype=torch.float64)
    assert torch.equal(twin(x), module(x))
    assert torch.equal(other(x), module(x))
    module.reset_parameters()
    assert module.a.item() == 2.0
    module.plain = True
    twin.reset_parameters()
    assert torch.equal(twin(x), module(x))


def test_inplace_writes_only_where_no_gradient_is_recorded(load: Load) -> None:
    module = load(parse("x*x")).Act(inplace=True)
    x = torch.tensor([2.0, 3.0])
    assert module(x) is x
    assert x.tolist() == [4.0, 9.0]
    y = torch.tensor([2.0], requires_grad=True)
    module(y * 1.0).sum().backward()
    assert y.grad is not None
    assert y.grad.item() == 4.0


def test_replace(load: Load) -> None:
    source = load(parse("x*tanh(x)"))
    shared = nn.ReLU()
    model = nn.Sequential(nn.Linear(2, 2), shared, nn.Sequential(nn.ReLU(), nn.Tanh()), shared).eval()
    assert source.replace(model, nn.ReLU, source.Act) == 3
    assert model[1] is model[3]
    assert isinstance(model.get_submodule("2.0"), source.Act)
    assert not model[1].training
    assert source.replace(model, nn.ReLU, source.Act) == 0


@pytest.mark.parametrize(
    "text", ["gelu(x)", "x*sigmoid(b*x); b=1", "where(x>0,x,a*x); a=0.25:channel", "sinc_prime(x)", "3"]
)
def test_export(text: str, load: Load) -> None:
    module = load(parse(text)).Act(channels=4)
    x = torch.randn(6, 4)
    exported = torch.export.export(module, (x,))
    torch.testing.assert_close(exported.module()(x), module(x))
    assert "autograd" not in str(exported.graph)


def test_compile_traces_one_graph(load: Load) -> None:
    module = load(parse("x*sigmoid(b*x)+max(x,0.5); b=1")).Act()
    x = torch.randn(6, 4, requires_grad=True)
    compiled: Callable[..., Tensor] = torch.compile(module, backend="aot_eager", fullgraph=True)
    value = compiled(x)
    torch.testing.assert_close(value, module(x))
    value.sum().backward()
    assert x.grad is not None


def test_where_on_a_constant_condition_ignores_the_other_branch(load: Load) -> None:
    f = parse("where(2>1,x,exp(x*x))")
    assert torch.equal(value_at(f, GRID), GRID)
    assert torch.equal(load(f).act(GRID), GRID)


def test_imports_are_torch_math_and_warnings_and_all_are_used() -> None:
    for f in ALL.values():
        tree = ast.parse(lower(f, "torch", factor=0.5))
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        imported = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        imported |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        assert imported <= {"torch", "math", "warnings", "torch.nn.functional"}
        names = {alias.asname or alias.name for node in nodes for alias in node.names}
        assert names <= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_shared_subexpressions_are_computed_once() -> None:
    source = text(parse("sin(exp(x)+1)*cos(exp(x)+1)"), "torch")
    value = source.partition("def _value")[2].partition("def _slopes")[0]
    assert value.count("torch.exp") == 1


def test_odd_parameter_names_do_not_hide_anything(load: Load) -> None:
    names = ["lambda", "torch", "forward", "t1", "math", "_value", "act", "max", "lambda_", "channels"]
    f = parse(
        "+".join(f"{name}*x**{power}" for power, name in enumerate(names, 1))
        + ";"
        + ",".join(f"{n}=0.5" for n in names)
    )
    module = load(f).Act()
    x = torch.linspace(-1, 1, 5)
    torch.testing.assert_close(module(x), value_at(f, x))
    assert len(list(module.parameters())) == len(names)


@pytest.mark.parametrize("name", ["Act", "3act", "class", "torch", "f", "a-b", "x", ""])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(LoweringError, match="name"):
        lower(parse("x"), "torch", name=name)


def test_unknown_target_names_the_nearest() -> None:
    assert {"torch", "latex"} <= set(targets())
    with pytest.raises(LoweringError, match="did you mean 'torch'"):
        lower(parse("x"), "torhc")
    with pytest.raises(LoweringError, match="factor"):
        lower(parse("x"), "torch", factor=float("nan"))


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("x*sigmoid(beta*x); beta=1", r"x \, \sigma(\beta \, x)"),
        ("beta*x; beta=1:channel", r"\beta_c \, x"),
        ("a2*x+kap*x; a2=1:channel, kap=1", r"a_{2,c} \, x + \mathrm{kap} \, x"),
        ("x-(1-x)", r"x - \left(1 - x\right)"),
        ("(x+1)*(x-1)/2", r"\frac{\left(x + 1\right) \, \left(x - 1\right)}{2}"),
        ("-x**2", r"-{x}^{2}"),
        ("(-x)**2", r"{\left(-x\right)}^{2}"),
        ("sin(x)**2", r"{\left(\sin(x)\right)}^{2}"),
        ("2**x", r"{2}^{x}"),
        ("x*2", r"x \, \left(2\right)"),
        ("3*2**x", r"3 \, \left({2}^{x}\right)"),
        ("x+(-x)", r"x + \left(-x\right)"),
        ("log1p(-x)", r"\log(1+\left(-x\right))"),
        ("1e-7*x+pi", r"10^{-7} \, x + \pi"),
        ("sigma*(x+1); sigma=1", r"\varsigma \, \left(x + 1\right)"),
        ("where(x>0,x,0.1*x)", r"\left\{ x \text{ if } [x > 0], \text{ else } 0.1 \, x \right\}"),
        ("1/(1+abs(x))", r"\frac{1}{1 + \left|x\right|}"),
    ],
)
def test_latex(text: str, formula: str) -> None:
    assert lower(parse(text), "latex") == formula


def test_latex_factor() -> None:
    assert lower(parse("x+1"), "latex", factor=1.5) == r"1.5 \, \left(x + 1\right)"


def test_latex_braces_and_brackets_balance() -> None:
    for f in ALL.values():
        written = text(f, "latex")
        plain = written.replace(r"\{", "").replace(r"\}", "")
        assert plain.count("{") == plain.count("}")
        assert written.count("(") == written.count(")")
        assert written.count(r"\left") == written.count(r"\right")
