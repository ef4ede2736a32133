"""Tables: what is shared and kept changes no bit of a value."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from primitives import canonical, derivative, grammar, parse
from primitives.analysis import moments, sketched_chi
from primitives.expression.evaluation import evaluate
from primitives.expression.expression import Expression
from primitives.expression.tabulated import Table

GRAMMARS = ("default", "grafs", "swish2017-2", "pangaea")


def family(name: str, count: int, seed: int = 0) -> list[Expression]:
    """Samples and their descendants, which share nodes."""
    source, rng = grammar(name), np.random.Generator(np.random.PCG64(seed))
    members = [source.sample(rng) for _ in range(10)]
    while len(members) < count:
        members.append(source.mutate(members[int(rng.integers(len(members)))], rng))
    return members


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", GRAMMARS)
def test_values_are_those_of_evaluation(name: str, dtype: torch.dtype) -> None:
    """Bit for bit, at initial parameters, however few nodes are kept."""
    x = torch.linspace(-20.0, 20.0, 203, dtype=dtype)
    large, small = Table(lambda: x), Table(lambda: x, kept=7)
    for f in family(name, 60):
        roots = f, derivative(f)
        alone = evaluate(roots, x, f.initial_values)
        for table in (large, small):
            for found, expected in zip(table.values(roots), alone, strict=True):
                assert found.shape == x.shape
                torch.testing.assert_close(found, expected, rtol=0.0, atol=0.0, equal_nan=True)
    assert len(small) <= 7 < len(large)


def test_given_parameters_are_not_kept() -> None:
    """Nor are the nodes above them; those without parameters are."""
    x = torch.linspace(-3.0, 3.0, 31, dtype=torch.float64)
    f = parse("beta*tanh(x)+sigmoid(beta*x); beta=1.0")
    table = Table(lambda: x)
    for beta in (0.5, 2.0, -1.0):
        rows = torch.tensor([[beta], [2 * beta]], dtype=torch.float64)
        found, expected = table.values((f,), {"beta": rows})[0], evaluate((f,), x, {"beta": rows})[0]
        assert found.shape == (2, 31)
        assert torch.equal(found, expected)
    assert torch.equal(table.values((f,))[0], evaluate((f,), x, f.initial_values)[0])


def test_numbers_and_the_input_alone_have_a_shape() -> None:
    x = torch.linspace(-1.0, 1.0, 5)
    for text in ("3", "x", "tanh(2)", "c; c=2.0", "where(x>0,1,2)"):
        f = canonical(parse(text)) if text == "3" else parse(text)
        assert torch.equal(Table(lambda: x).values((f,))[0], evaluate((f,), x, f.initial_values)[0])


@pytest.mark.parametrize("name", GRAMMARS)
def test_a_sketch_of_chi_is_near_chi(name: str) -> None:
    """Where it is within the limits that settle the screens, chi itself is far within theirs."""
    sketched = 0
    for f in filter(lambda f: f.uses_input, family(name, 150, seed=1)):
        with np.errstate(all="ignore"):
            sketch = sketched_chi(f)
        if 0.05 < sketch < 20.0:
            sketched += 1
            assert 1e-2 < moments(f).chi < 1e2, f.text
    assert sketched > 60


def test_a_pole_has_no_sketch() -> None:
    assert np.isnan(sketched_chi(parse("softplus(x)/(x**3+1e-7)")))
    assert np.isnan(sketched_chi(parse("0*x")))
    assert sketched_chi(parse("tanh(x)")) == pytest.approx(moments(parse("tanh(x)")).chi, rel=0.01)
    assert sketched_chi(parse("relu(x)")) == pytest.approx(1.0, rel=0.03)
