"""JAX: the contract in float64 and float32, jit, vmap, gradients of every order, dtypes and shapes.

Tests for a process of their own, which ``test_jax_target.py`` starts: a process with jax in it must not fork, and other
tests do.
"""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from primitives.expression.application import apply
from primitives.expression.expression import Expression, constant, variable
from primitives.expression.parsing import parse
from primitives.lowering import lower
from primitives.operators.table import elementwise_operators
from tests.primitives_tests import channel_cases, kinds
from tests.primitives_tests.contract import FACTOR, GROUPS, differences, functions, inputs, names
from tests.primitives_tests.loading import loaded

TEXT = "x*sigmoid(beta*x)+c*where(x>1,x,erf(x)); beta=1.5, c=0.1:channel"


def module(f: Expression | str, folder: Path, factor: float = 1.0) -> ModuleType:
    expression = parse(f) if isinstance(f, str) else f
    number = len(list(folder.iterdir()))
    return loaded(str(lower(expression, "jax", name="act", factor=factor)), folder / f"jax_{number}.py")


def computed(act: Any, f: Expression, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Value and derivatives at the points of the contract, which are filled up to one shape: jax compiles by shape."""
    given = inputs(f)
    filled = [torch.cat([x, torch.zeros(96 - len(x), dtype=x.dtype)]).to(dtype) for x in given]
    with jax.enable_x64(dtype == torch.float64):
        arrays = [jnp.asarray(each.numpy()) for each in filled]
        array = arrays[0]
        value, pullback = jax.vjp(act, *arrays, *[jnp.full_like(array, p.initial) for p in f.parameters])
        columns = (value, *pullback(jnp.ones_like(value)))
        assert all(column.dtype == array.dtype and column.shape == array.shape for column in columns)
        tensors = [torch.from_numpy(np.array(column))[: len(given[0])] for column in columns]
    return dict(zip(["value", *names(f)], tensors, strict=True))


SAMPLE = functions("catalogue")[::10]
SLOW = pytest.param(functions("catalogue"), id="catalogue", marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "known",
    [pytest.param(SAMPLE, id="sample"), SLOW, *(pytest.param(functions(group), id=group) for group in GROUPS[1:])],
)
def test_jax_reproduces(known: tuple[Expression, ...], tmp_path: Path) -> None:
    wrong = []
    for f in known:
        act = module(f, tmp_path, FACTOR).act
        for dtype in (torch.float64, torch.float32):
            wrong += differences(f, computed(act, f, dtype), dtype)
    assert not wrong, "\n".join(wrong[:20])


def test_jax_reproduces_every_operator(tmp_path: Path) -> None:
    numbers = [constant(0.7), constant(1.3), constant(0.4), constant(2.0)]
    wrong = []
    for name, row in elementwise_operators().items():
        f = apply(name, variable(), *numbers[: row.arity - 1])
        wrong += differences(f, computed(module(f, tmp_path, FACTOR).act, f, torch.float64))
    assert not wrong, "\n".join(wrong[:20])


def test_both_forms_agree_under_jit_vmap_and_grad_of_grad(tmp_path: Path) -> None:
    act = module(TEXT, tmp_path, 0.7)
    x, betas = jnp.linspace(-2.0, 2.0, 15).reshape(3, 5), jnp.array([0.5, 1.0, 2.0])

    def second(function: Any) -> Any:
        slope = jax.grad(lambda x, beta: jnp.sum(function(x, beta)), argnums=(0, 1))
        curve = jax.grad(lambda x, beta: jnp.sum(slope(x, beta)[0] ** 2) + slope(x, beta)[1], argnums=(0, 1))
        return jax.jit(jax.vmap(curve))(x, betas)

    for a, b in zip(second(act.act), second(act.act_plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_forward_mode_is_that_of_the_plain_form(tmp_path: Path) -> None:
    act = module(TEXT, tmp_path)
    x = jnp.linspace(-2.0, 2.0, 5)
    _, slope = jax.jvp(act.act_plain, (x,), (jnp.ones_like(x),))
    np.testing.assert_allclose(slope, jax.vmap(jax.grad(act.act))(x), rtol=1e-5)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(act.act, (x,), (jnp.ones_like(x),))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("text", [TEXT, "where(x>0,1,0.5)", "exp(where(x>0,1,0.5))", "x>0", "2", "x", "x**2", "b; b=2"])
def test_shape_and_dtype_of_the_input_are_kept(dtype: str, text: str, tmp_path: Path) -> None:
    act = module(text, tmp_path).act
    x = jnp.linspace(-2.0, 2.0, 6, dtype=dtype).reshape(2, 3)
    for wide in (False, True):
        with jax.enable_x64(wide):
            value, slope = act(x), jax.grad(lambda x: jnp.sum(act(x)))(x)
        assert (value.dtype, value.shape) == (x.dtype, x.shape)
        assert (slope.dtype, slope.shape) == (x.dtype, x.shape)


def test_parameters_broadcast_and_get_gradients_of_their_own_shape_and_dtype(tmp_path: Path) -> None:
    act = module(TEXT, tmp_path)
    x = jnp.linspace(-2.0, 2.0, 24).reshape(2, 4, 3)
    beta, c = jnp.float32(1.5), jnp.array([0.1, 0.2, 0.3])
    of_both = [
        jax.grad(lambda b, c, f=f: jnp.sum(f(x, b, c)), argnums=(0, 1))(beta, c) for f in (act.act, act.act_plain)
    ]
    for a, b in zip(*of_both, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    by_c = jax.grad(lambda c: jnp.sum(act.act(x.astype("bfloat16"), 1.5, c).astype("float32")))(c)
    assert (by_c.dtype, by_c.shape) == (c.dtype, c.shape)
    np.testing.assert_allclose(act.act(jnp.array([1, 2])), act.act(jnp.array([1.0, 2.0])))


@pytest.mark.parametrize("case", channel_cases.CASES, ids=str)
def test_channels_are_found_where_layers_find_them(case: channel_cases.Case, tmp_path: Path) -> None:
    act, betas = module(channel_cases.TEXT, tmp_path), jnp.array(channel_cases.BETAS)
    x = jnp.asarray(np.random.default_rng(0).normal(size=case.shape))
    for form in (act.act, act.act_plain, jax.jit(act.act, static_argnames="channel_dim")):
        if case.dim is None:
            with pytest.raises(ValueError, match=r"got shape|both have 4 entries; give channel_dim="):
                form(x, a=0.5, beta=betas, channel_dim=case.channel_dim)
            continue
        last = jnp.moveaxis(x, case.dim, -1)
        expected = jnp.moveaxis(last * jax.nn.sigmoid(betas * last) + 0.5 * last, -1, case.dim)
        np.testing.assert_allclose(
            form(x, a=0.5, beta=betas, channel_dim=case.channel_dim), expected, rtol=1e-5, atol=1e-6
        )
        slopes = jax.grad(lambda b, form=form: jnp.sum(form(x, a=0.5, beta=b, channel_dim=case.channel_dim)))(betas)
        assert slopes.shape == betas.shape


@pytest.mark.parametrize("f", kinds.FUNCTIONS, ids=lambda f: f.text[:30])
def test_functions_with_statistics(f: Expression, tmp_path: Path) -> None:
    module, (shape, *_) = loaded(str(lower(f, "jax", name="act")), tmp_path / "act.py"), kinds.SHAPES
    own, given = kinds.layer(f, shape[1], momentum=None), [x.requires_grad_() for x in kinds.inputs(f, shape)]
    value = own(*given)
    weights = torch.linspace(-1.0, 1.0, value.numel(), dtype=torch.float64).view(shape)
    leaves = [*given, *own.parameters()]
    slopes = torch.autograd.grad((value * weights).sum(), leaves, allow_unused=True, materialize_grads=True)
    with jax.enable_x64(True):
        arrays = [jnp.asarray(leaf.detach().numpy()) for leaf in leaves]
        np.testing.assert_allclose(jax.jit(module.act)(*arrays), value.detach(), rtol=1e-9, atol=1e-10)
        found = jax.grad(lambda at: jnp.sum(weights.numpy() * module.act(*at)))(arrays)
        for a, b in zip(found, slopes, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)
        if f in kinds.RUNNING:
            ends, others = arrays[: len(given)], arrays[len(given) :]
            running = module.act_statistics(*arrays)
            expected = own.eval()(*given).detach()
            np.testing.assert_allclose(module.act_inference(*ends, *running, *others), expected, rtol=1e-9, atol=1e-10)
    small = jnp.asarray(given[0].detach().numpy(), "bfloat16")
    assert module.act(*[small] * len(given)).dtype == small.dtype


def test_jax_is_the_only_import() -> None:
    for f in (*functions("catalogue")[::10], parse("bessel_i0e(x)+erfc(x)")):
        nodes = list(ast.walk(ast.parse(str(lower(f, "jax")))))
        assert not [node for node in nodes if isinstance(node, ast.ImportFrom)]
        assert {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names} == {
            "jax",
            "jax.numpy",
        }
