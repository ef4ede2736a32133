"""The sympy target: the contract at 120 digits, and what the module looks like."""

from __future__ import annotations

from pathlib import Path

import mpmath
import pytest
import sympy as sp
import torch

from primitives.errors import LoweringError
from primitives.expression.evaluation import value_at
from primitives.expression.expression import Expression
from primitives.expression.parsing import parse
from primitives.expression.traversal import postorder
from primitives.lowering import files, lower
from primitives.lowering.python.self_test import rows
from primitives.lowering.reference import elementary
from tests.primitives_tests.contract import FACTOR, GROUPS, functions
from tests.primitives_tests.loading import loaded


@pytest.mark.parametrize("group", GROUPS)
def test_sympy_reproduces(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    wrong = []
    for number, f in enumerate(functions(group)):
        wrong += wrong_numbers(f, tmp_path, f"{group}_{number}")
    assert not wrong, "\n".join(wrong[:20])


def wrong_numbers(f: Expression, folder: Path, name: str) -> list[str]:
    """What the self-test finds: value and differences at 120 digits, away from kinks."""
    (code, source), (test, lines) = files(f, "sympy", name=name, factor=FACTOR).items()
    (folder / code).write_text(str(source), encoding="utf-8")
    return [f"{f.text}: {line}" for line in loaded(str(lines), folder / test).wrong_numbers()]


def test_sympy_finds_the_derivatives(tmp_path: Path) -> None:
    """Its own, where nothing changes over: with Max it takes long, of floor and sign it has no number."""
    chosen = [
        f
        for f in functions("catalogue")
        if not {"max", "min", "floor", "sign"} & {n.op for n in postorder((elementary(f),))}
    ]
    assert len(chosen) > 150
    for number, f in enumerate(chosen[::4]):
        module = loaded(str(lower(f, "sympy", name="act")), tmp_path / f"slope_{number}.py")
        slope = sp.lambdify([module.x, *module.PARAMETERS], sp.diff(module.act, module.x), "mpmath")
        for x, _, _, expected, allowed, *_ in rows(f, factor=1.0, kinks=False):
            if expected is not None and x is not None and 1e-4 < abs(x) < 20:
                with mpmath.workdps(60):
                    got = slope(*map(mpmath.mpf, (x, *module.PARAMETERS.values())))
                assert abs(got - expected) <= (allowed or 0.0), (f.text, x, got, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x**2/4+0.5*x", "x**2/4 + x/2"),
        ("x*tanh(beta*x); beta=1.5", "x*tanh(beta*x)"),
        ("relu(x)", "Max(0, x)"),
        ("where(x>1,x,abs(x))", "Piecewise((x, x > 1), (Abs(x), True))"),
        ("0.1*x", "0.1*x"),
        ("2", "2"),
    ],
)
def test_the_expression_is_what_one_would_write(text: str, expected: str, tmp_path: Path) -> None:
    module = loaded(str(lower(parse(text), "sympy", name="act")), tmp_path / "act.py")
    assert str(module.act) == expected
    assert {symbol.name: value for symbol, value in module.PARAMETERS.items()} == {
        p.name: p.initial for p in parse(text).parameters
    }


@pytest.mark.parametrize("value", [0.1, 1e-7, 3.141592653589793, 1 / 3, 1e300, 5e-324, 0.3750000000000001, 1024.5])
def test_numbers_read_back_to_the_same_float(value: float, tmp_path: Path) -> None:
    module = loaded(str(lower(parse(f"{value!r}*x"), "sympy", name="act")), tmp_path / "act.py")
    exact = sp.Rational(*value.as_integer_ratio())
    assert sp.Rational(module.act.coeff(module.x)) == exact


def test_no_exact_value_is_an_error() -> None:
    with pytest.raises(LoweringError, match="without x is inf"):
        lower(parse("x+exp(1000)"), "sympy")
    assert torch.isinf(value_at(parse("x+exp(1000)"), torch.zeros(1)))
