"""The numpy target: the contract, types and shapes, and the functions that numpy lacks."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import torch

from primitives.expression.evaluation import value_at
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.lowering import lower
from tests.primitives_tests.contract import FACTOR, GROUPS, differences, functions, inputs, names
from tests.primitives_tests.loading import loaded


@pytest.mark.parametrize("group", GROUPS)
def test_numpy_reproduces(group: str, tmp_path: Path) -> None:
    wrong = []
    for number, f in enumerate(functions(group)):
        module = loaded(str(lower(f, "numpy", name="act", factor=FACTOR)), tmp_path / f"numpy_{number}.py")
        for dtype in (torch.float64, torch.float32):
            x, *second = (each.to(dtype).numpy() for each in inputs(f))
            value, slopes = module.act(x, *second), module.act_derivatives(x, *second)
            assert all(array.dtype == x.dtype and array.shape == x.shape for array in (value, *slopes))
            found = {"value": value} | dict(zip(names(f), slopes, strict=True))
            wrong += differences(f, {by: torch.from_numpy(array) for by, array in found.items()}, dtype)
    assert not wrong, "\n".join(wrong[:20])


KNOWN = {
    "erf": np.vectorize(math.erf),
    "erfc": np.vectorize(math.erfc),
    "bessel_i0e": scipy.special.i0e,
    "bessel_i1e": scipy.special.i1e,
}


@pytest.mark.parametrize("name", KNOWN)
def test_functions_that_numpy_lacks_are_exact_to_a_few_last_places(name: str, tmp_path: Path) -> None:
    act = loaded(str(lower(parse(f"{name}(x)"), "numpy", name="act")), tmp_path / f"{name}.py").act
    x = np.concatenate([np.linspace(-30, 30, 24001), np.geomspace(1e-300, 1e300, 601), [-np.inf, np.inf]])
    expected = KNOWN[name](x)
    np.testing.assert_allclose(act(x), expected, rtol=2e-15, atol=1e-307)
    assert np.isnan(act(np.nan))


SWISH = parse("x*sigmoid(beta*x)+c*where(x>1,x,erf(x)); beta=1.5, c=0.1:channel")


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_the_type_of_the_input_is_kept(kind: type[np.floating], tmp_path: Path) -> None:
    module = loaded(str(lower(SWISH, "numpy", name="act")), tmp_path / "act.py")
    x = np.linspace(-3, 3, 7).astype(kind).reshape(7, 1)
    for array in (module.act(x, c=np.ones((1, 4))), *module.act_derivatives(x, c=np.ones((1, 4)))):
        assert array.dtype == kind
        assert array.shape == (7, 4)
    assert module.act(kind(2)).dtype == kind


def test_lists_integers_and_numbers_are_accepted(tmp_path: Path) -> None:
    module = loaded(str(lower(SWISH, "numpy", name="act")), tmp_path / "act.py")
    expected = module.act(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(module.act([1, 2]), expected)
    np.testing.assert_array_equal(module.act(np.array([1, 2])), expected)
    assert module.act(2) == expected[1]
    assert np.ndim(module.act(2)) == 0
    assert module.act(2.0, beta=0.0, c=0.0) == 1.0
    for wrong in (1j, "a"):
        with pytest.raises(TypeError, match="act: expected real numbers, got"):
            module.act(wrong)


@pytest.mark.parametrize("text", ["x", "2", "b; b=3", "where(2>1,x,0)", "x>0", "(x>0)/(x>1)"])
def test_trivial_functions_have_the_shape_of_the_input_and_their_own_memory(text: str, tmp_path: Path) -> None:
    f = parse(text)
    module = loaded(str(lower(f, "numpy", name="act")), tmp_path / "act.py")
    x = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)
    value = module.act(x)
    assert value is not x
    assert value.shape == x.shape
    assert not np.shares_memory(value, x)
    assert value.flags.writeable
    np.testing.assert_array_equal(value, value_at(f, torch.from_numpy(x)).numpy())


def test_numpy_is_the_only_import() -> None:
    for f in (*functions("catalogue")[::10], parse("bessel_i0e(x)+erfc(x)")):
        assert imported(f) == {"numpy"}


def imported(f: Expression) -> set[str]:
    tree = ast.parse(str(lower(f, "numpy")))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
